import { runProcess } from '../../runtime/process.ts';
import { delay } from '../../runtime/retry.ts';

/** A process whose start waits until what it waits for is closed, and fails then. */
await runProcess('child', async ({ resources }) => {
  const closed = Promise.withResolvers<never>();
  resources.add('connection', closed, async ({ reject }) => {
    reject(new Error('the connection is closed'));
    await delay(50);
  });
  process.send?.('waiting');
  await closed.promise;
});

import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createLog } from '../../../runtime/log.ts';
import { connectNats, type NatsConnection } from '../../../stream/nats.ts';
import { startNats, type TestNats } from '../../support/nats.ts';
import { HOUR_MS } from '../../../runtime/units.ts';

let nats: TestNats;
let connection: NatsConnection;

beforeEach(async () => {
  nats = await startNats();
});
afterEach(async () => {
  vi.useRealTimers();
  await connection?.close();
  await nats.stop();
});

test('a clock that is set back does not hold up a reconnect', async () => {
  const realMs = Date.now();
  vi.useFakeTimers({ toFake: ['Date'] });
  vi.setSystemTime(realMs + 2 * HOUR_MS);
  connection = await connectNats({ url: nats.url, name: 'test', log: createLog('test', 'silent') });
  const events = connection.status()[Symbol.asyncIterator]();
  const heard = async (type: string): Promise<void> => {
    for (;;) if ((await events.next()).value?.type === type) return;
  };
  await nats.kill('SIGKILL');
  await heard('reconnecting'); // it has tried while the clock was ahead
  vi.setSystemTime(realMs);
  await nats.restart();
  await heard('reconnect');
  await connection.flush();
  expect(connection.isClosed()).toBe(false);
});

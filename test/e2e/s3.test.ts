import { afterAll, beforeAll, expect, it } from 'vitest';
import { runStack, type RunningStack } from '../support/runningStack.ts';
import { startS3, type TestS3 } from '../../scripts/s3/s3Server.ts';
import { playAndCompare } from '../support/shoppers.ts';

let s3: TestS3 | undefined;
let unavailable: string | undefined;
let running: RunningStack | undefined;

beforeAll(async () => {
  const started = await startS3();
  if ('unavailable' in started) unavailable = started.unavailable;
  else s3 = started;
});

afterAll(async () => {
  await running?.close();
  await s3?.stop();
});

it('runs the whole pipeline on a real S3 server', async (context) => {
  if (!s3) return context.skip(`no S3 server here: ${unavailable}`);
  const env = { ...process.env, ...s3.env, LAKE_URL: `s3://${s3.bucket}/lake` };
  running = await runStack({ processors: 2, env: { ...env, LEASE_SECONDS: '2' } });
  const { stack, pid } = running;
  const { ledger, faults } = await playAndCompare(stack, {
    seconds: 6,
    rate: 500,
    seed: 3,
    meanwhile: async () => {
      await new Promise((resolve) => setTimeout(resolve, 2_500));
      process.kill(pid('processor'), 'SIGKILL');
    },
  });
  expect(faults).toEqual([]);
  expect(ledger.counts.accepted).toBeGreaterThan(2_000);
});

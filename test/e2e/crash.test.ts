import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, it } from 'vitest';
import { runStack, type RunningStack } from '../support/runningStack.ts';
import { playAndCompare } from '../support/shoppers.ts';

let running: RunningStack | undefined;

afterEach(async () => {
  await running?.close();
  running = undefined;
});

it.each(['SIGKILL', 'SIGTERM'] as const)(
  'loses and doubles nothing when each process gets %s in mid-load',
  async (signal) => {
    running = await runStack({ processors: 2, env: { LEASE_SECONDS: '2' } });
    const { stack, pid } = running;
    const { ledger, faults } = await playAndCompare(stack, {
      seconds: 12,
      rate: 600,
      seed: signal === 'SIGKILL' ? 9 : 15,
      meanwhile: async () => {
        for (const name of ['ingest', 'processor', 'nats-server', 'processor-2', 'lake']) {
          await sleep(2_000);
          process.kill(pid(name), signal);
        }
      },
    });
    expect(faults).toEqual([]);
    expect(ledger.counts.unknown).toBe(0);
    expect(ledger.counts.accepted).toBeGreaterThan(5_000);
  },
  180_000,
);

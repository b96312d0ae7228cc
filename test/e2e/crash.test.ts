import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, it } from 'vitest';
import { runSpor } from '../support/runScript.ts';
import { runStack, type RunningStack } from '../support/runningStack.ts';
import { playAndCompare } from '../support/shoppers.ts';
import { until } from '../support/until.ts';

let running: RunningStack | undefined;

afterEach(async () => {
  await running?.close();
  running = undefined;
});

it.each([
  ['SIGKILL', 'processor'],
  ['SIGTERM', 'ingest'],
] as const)(
  'loses and doubles nothing when each process gets %s in mid-load, and the shards grow as the %s does',
  async (signal, growingAt) => {
    running = await runStack({ processors: 2, env: { LEASE_SECONDS: '2' } });
    const { stack, pid } = running;
    const spor = async (...args: string[]): Promise<string> => {
      const { code, stdout, stderr } = await runSpor(args, { env: { ...stack.env, SPOR_SHARDS: '4' } });
      return code === 0 ? stdout : stderr;
    };
    await spor('access', 'init', '--shards', '10');
    const key = await running.createKey('resender', 'web');
    const event = {
      eventId: '0193586f-0000-7000-8000-000000000001',
      type: 'Search',
      sessionId: 's',
      searchId: 's-1',
      phrase: 'shoes',
      resultsCount: 1,
    };
    const send = (): Promise<Response> =>
      running!.post(key, { events: [{ ...event, timestamp: new Date().toISOString() }] });
    expect((await send()).status).toBe(202);
    const { ledger, faults } = await playAndCompare(stack, {
      seconds: 12,
      rate: 600,
      seed: signal === 'SIGKILL' ? 9 : 15,
      meanwhile: async () => {
        for (const name of ['ingest', 'processor', 'nats-server', 'processor-2', 'lake']) {
          await sleep(2_000);
          if (name === growingAt) await spor('shards', 'grow', '6', '--wait', '0s');
          process.kill(pid(name), signal);
        }
      },
    });
    expect(faults).toEqual([]);
    expect(ledger.counts.unknown).toBe(0);
    expect(ledger.counts.accepted).toBeGreaterThan(5_000);
    await until(async () => (await spor('shards', 'list', '--json')).includes('"first":4,"shards":6'));
    expect(JSON.parse(await spor('shards', 'list', '--json'))).toEqual({
      first: 4,
      shards: 6,
      before: [{ first: 0, shards: 4 }],
    });
    await until(async () => (await send()).status === 202); // into a shard that never had it
    const { rows } = await running.ask(
      'resender',
      "select count(*) from events where event_id = '0193586f-0000-7000-8000-000000000001'",
    );
    expect(rows).toEqual([[1]]);
  },
  180_000,
);

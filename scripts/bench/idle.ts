import { randomUUID } from 'node:crypto';
import { delay } from '../../runtime/retry.ts';
import { startStack } from '../stack/stack.ts';
import { postEvents } from './postEvents.ts';
import { processUse } from './procStats.ts';
import { spread, type Result } from './report.ts';
import { sampleEvents } from './sampleEvents.ts';
import { issueKeys, keyKnown, tenantIds, type BenchOptions } from './services.ts';
import { drained } from './stackState.ts';
import { EVENT_ID } from './wrk.ts';

const TENANTS = 10;
const EVENTS_PER_TENANT = 100;
const REACH_MIB = 300;
/** Time without events after which the stack is idle: processes have ended, and so has the first refresh of marts. */
const IDLE_MS = 180_000;
const QUICK_IDLE_MS = 1_000;

/** Memory of a whole stack that has nothing to do, as PSS: pages that processes share count once. */
export async function benchIdle(options: BenchOptions): Promise<Result[]> {
  const { dir, log, rounds, quick } = options;
  const totals: number[] = [];
  let parts = '';
  for (let round = 0; round < rounds; round++) {
    const env = { ...process.env, LOG_LEVEL: 'warn' };
    const stack = await startStack({ dir: `${dir}/${round}`, ports: 'free', restart: false, log, env });
    try {
      const keys = await issueKeys(stack.nats, tenantIds(TENANTS));
      await keyKnown(stack.ingestUrl, keys.at(-1)!);
      const events = sampleEvents(EVENTS_PER_TENANT);
      const withIds = (): string[] => events.map((event) => event.replace(EVENT_ID, randomUUID()));
      for (const key of keys) await postEvents(stack, key, withIds());
      await drained(stack);
      await delay(quick ? QUICK_IDLE_MS : IDLE_MS);
      const memory = processUse(stack.processes()).map(({ name, pssBytes }) => ({ name, mib: pssBytes / 2 ** 20 }));
      totals.push(memory.reduce((sum, { mib }) => sum + mib, 0));
      parts = memory.map(({ name, mib }) => `${name} ${Math.round(mib)}`).join(', ');
    } finally {
      await stack.stop();
    }
  }
  const { median, text } = spread(totals);
  return [
    {
      name: `memory of an idle stack with ${TENANTS} tenants`,
      value: REACH_MIB / median,
      reach: 1,
      unit: `(${REACH_MIB} MiB / measured)`,
      detail: `${text} MiB PSS; of the last round in MiB: ${parts}`,
    },
  ];
}

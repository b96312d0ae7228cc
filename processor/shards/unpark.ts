import type { Logger } from '../../runtime/log.ts';
import { delay } from '../../runtime/retry.ts';
import type { Tables } from '../commit/tables.ts';

/** Time between two looks at parked tenants; doubles for one that is parked again. */
const LOOK_MS = 5_000;
const LONGEST_LOOK_MS = 900_000;

/** Tries to take a parked tenant back, by tenant, over all leases of a process. */
export type UnparkTries = Map<string, number>;

/**
 * Waits until the tables of a parked tenant can be written, or the signal.
 * @returns the tenant; undefined after the signal
 */
export async function untilWritable(
  tables: Tables,
  { tries, signal, log }: { tries: UnparkTries; signal: AbortSignal; log: Logger },
): Promise<string | undefined> {
  const nextAt = new Map<string, number>();
  while (!signal.aborted) {
    for (const { tenantId } of tables.parked.list) {
      const everyMs = Math.min(LONGEST_LOOK_MS, LOOK_MS * 2 ** (tries.get(tenantId) ?? 0));
      const now = performance.now();
      if (!nextAt.has(tenantId)) nextAt.set(tenantId, now + everyMs);
      if (now < nextAt.get(tenantId)!) continue;
      nextAt.set(tenantId, now + everyMs);
      try {
        await tables.mustBeWritable(tenantId);
        tries.set(tenantId, (tries.get(tenantId) ?? 0) + 1);
        return tenantId;
      } catch (error) {
        log.debug({ err: error, tenantId }, 'a parked tenant cannot be written yet');
      }
    }
    await delay(1_000, signal);
  }
  return undefined;
}

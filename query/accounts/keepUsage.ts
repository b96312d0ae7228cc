import type { Logger } from '../../runtime/log.ts';
import { delay } from '../../runtime/retry.ts';
import { HOUR_MS } from '../../runtime/units.ts';
import { duckdbCheckpoints } from '../../lake/delta/checkpointParquet.ts';
import { deltaTable } from '../../lake/delta/table.ts';
import { listTenants } from '../../lake/layout/tenants.ts';
import { cleanLog } from '../../lake/maintenance/logCleanup.ts';
import { vacuum } from '../../lake/maintenance/vacuum.ts';
import type { Storage } from '../../lake/storage/storage.ts';
import { CHANGES_SPEC, type Changes } from './changes.ts';
import type { QueryUses } from './queryUse.ts';
import { usageSpec, type UsageTables } from './usageTable.ts';

const TIDY_EVERY_MS = 24 * HOUR_MS;
/** Time that readers have to finish with a replaced file. */
const GRACE_MS = 24 * HOUR_MS;
const LOG_RETENTION_MS = 7 * 24 * HOUR_MS;

/**
 * Updates the usage tables of all tenants and the table of changes at intervals; returns the function that stops.
 *
 * The stop writes the uses of queries once more. A killed process loses those since its last update.
 */
export function keepUsage(options: {
  storage: Storage;
  usage: UsageTables;
  uses: QueryUses;
  changes: Changes;
  everyMs: number;
  log: Logger;
  /** Called after each update of a tenant. */
  updated: (outcome: 'ok' | 'failed') => void;
}): () => Promise<void> {
  const { storage, usage, uses, changes, everyMs, log, updated } = options;
  const stop = new AbortController();

  const update = async (tenantId: string): Promise<void> => {
    const taken = uses.take(tenantId);
    try {
      await usage.update(tenantId, taken);
      updated('ok');
    } catch (error) {
      uses.putBack(tenantId, taken);
      updated('failed');
      log.warn({ err: error, tenantId }, 'the usage of a tenant could not be written, trying again later');
    }
  };

  const updateAll = async (): Promise<void> => {
    const known = await listTenants(storage).catch((error: unknown) => {
      log.warn({ err: error }, 'tenants could not be listed for their usage, trying again later');
      return [];
    });
    for (const tenantId of new Set([...known, ...uses.tenantIds()])) {
      if (stop.signal.aborted) return;
      await update(tenantId);
    }
  };

  const tidy = async (): Promise<void> => {
    for (const spec of [CHANGES_SPEC, ...(await listTenants(storage)).map(usageSpec)]) {
      if (stop.signal.aborted) return;
      const table = deltaTable(storage, spec);
      if ((await table.snapshot()).version < 0) continue;
      await table.checkpoint();
      await cleanLog(storage, table.spec.root, { retentionMs: LOG_RETENTION_MS, checkpoints: duckdbCheckpoints() });
      await vacuum(storage, table, { graceMs: GRACE_MS, signal: stop.signal });
    }
  };

  const run = async (): Promise<void> => {
    let tidyAt = performance.now() + TIDY_EVERY_MS;
    for (;;) {
      await delay(everyMs, stop.signal);
      if (stop.signal.aborted) return;
      await updateAll();
      await changes.update().catch((error: unknown) => {
        log.warn({ err: error }, 'the table of changes could not be written, trying again later');
      });
      if (performance.now() < tidyAt) continue;
      tidyAt = performance.now() + TIDY_EVERY_MS;
      await tidy().catch((error: unknown) => {
        if (!stop.signal.aborted) log.warn({ err: error }, 'old files of usage tables could not be deleted');
      });
    }
  };

  const running = run();
  return async () => {
    stop.abort();
    await running;
    for (const tenantId of uses.tenantIds()) await update(tenantId);
  };
}

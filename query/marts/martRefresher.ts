import { join } from 'node:path';
import type { Logger } from '../../runtime/log.ts';
import { delay } from '../../runtime/retry.ts';
import type { Registry } from '../../schemas/registry.ts';
import { duckdbCheckpoints } from '../../lake/delta/checkpointParquet.ts';
import { deltaTable } from '../../lake/delta/table.ts';
import { Engine } from '../../lake/duckdb/engine.ts';
import { LakeError } from '../../lake/errors.ts';
import { cleanLog } from '../../lake/maintenance/logCleanup.ts';
import { listTenants } from '../../lake/layout/tenants.ts';
import { vacuum } from '../../lake/maintenance/vacuum.ts';
import type { LocalFiles } from '../../lake/files/localFiles.ts';
import type { Storage } from '../../lake/storage/storage.ts';
import { listMarts, martSpec } from './mart.ts';
import { refreshMarts, type MartReport } from './refresh.ts';
import { HOUR_MS } from '../../runtime/units.ts';

export interface MartRefresherOptions {
  storage: Storage;
  registry: Registry;
  localFiles: LocalFiles;
  /** Folder that nothing else uses. */
  workDir: string;
  memoryMb: number;
  threads: number;
  log: Logger;
  /** Waits for other work. A refresh calls the result at its end. Absent: no wait. */
  turn?: (tenantId: string, signal: AbortSignal) => Promise<() => void>;
}

export interface MartRefresher {
  /** Refreshes the marts of one tenant and deletes their unused files. @throws LakeError */
  refresh(tenantId: string, signal?: AbortSignal): Promise<MartReport[]>;
  /**
   * Refreshes the tenants in turn until the signal aborts.
   *
   * A round begins at most once per `everyMs`. Failures are logged and tried again in the next round; nothing is
   * thrown.
   */
  keepUp(
    options: { everyMs: number; firstAfterMs?: number; tenantIds?: readonly string[]; onTenant?: OnTenant },
    signal: AbortSignal,
  ): Promise<void>;
}

type OnTenant = (tenantId: string, outcome: MartReport[] | Error) => void;

/** Priority below queries, flushes and receivers. A refresh after a burst is long. */
const NICENESS = 10;
/** Time that readers have to finish with a replaced version. */
const GRACE_MS = 24 * HOUR_MS;
/** Longest absence after which a consumer can continue from its version. */
const LOG_RETENTION_MS = 7 * 24 * HOUR_MS;
const TIDY_EVERY_MS = 6 * HOUR_MS;

/**
 * Creates a refresher of marts beside other work.
 *
 * Any number of processes may refresh the same tenant, because commits decide conflicts.
 */
export function createMartRefresher(options: MartRefresherOptions): MartRefresher {
  const { storage, registry, workDir, log } = options;
  /** Time of each tenant's last cleanup. The first one waits until the process is ready. */
  const tidied = new Map<string, number>();
  const startedAt = performance.now();

  const tidy = async (tenantId: string, signal: AbortSignal | undefined): Promise<void> => {
    if (performance.now() - (tidied.get(tenantId) ?? startedAt) < TIDY_EVERY_MS) return;
    tidied.set(tenantId, performance.now());
    for (const mart of listMarts(registry)) {
      const table = deltaTable(storage, martSpec(mart, tenantId));
      try {
        await cleanLog(storage, table.spec.root, { retentionMs: LOG_RETENTION_MS, checkpoints: duckdbCheckpoints() });
        await vacuum(storage, table, { graceMs: GRACE_MS, ...(signal ? { signal } : {}) });
      } catch (error) {
        signal?.throwIfAborted();
        const reason = { tenantId, mart: mart.name, err: error };
        if (!(error instanceof LakeError) || error.code !== 'clocks_differ') {
          log.warn(reason, 'unused files of a mart could not be deleted, trying again later');
          continue;
        }
        log.error({ ...reason, code: error.code }, 'no file of a mart is deleted: the clocks differ');
        return;
      }
    }
  };

  const refresh = async (tenantId: string, signal?: AbortSignal): Promise<MartReport[]> => {
    const { memoryMb, threads } = options;
    const dir = join(workDir, 'engine');
    const engine = new Engine({ dir, memory: `${memoryMb}MiB`, threads, niceness: NICENESS, log });
    // A statement may run for minutes, and nothing of it is kept when the process stops.
    const onAbort = (): void => void engine.kill();
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      const reports = await refreshMarts(tenantId, { ...options, engine, workDir: join(workDir, 'files') }, signal);
      await tidy(tenantId, signal);
      return reports;
    } finally {
      signal?.removeEventListener('abort', onAbort);
      await engine.close();
    }
  };

  const visit = async (tenantId: string, signal: AbortSignal): Promise<MartReport[] | Error> => {
    try {
      const release = await options.turn?.(tenantId, signal);
      try {
        return await refresh(tenantId, signal);
      } finally {
        release?.();
      }
    } catch (error) {
      if (!signal.aborted) log.warn({ err: error, tenantId }, 'marts could not be refreshed, trying again later');
      return error instanceof Error ? error : new Error(String(error));
    }
  };

  return {
    refresh,
    keepUp: async ({ everyMs, firstAfterMs = 0, tenantIds, onTenant }, signal) => {
      await delay(Math.min(everyMs, firstAfterMs), signal);
      while (!signal.aborted) {
        const nextAt = performance.now() + everyMs;
        for (const tenantId of tenantIds ?? (await tenantsOf(storage, log))) {
          if (signal.aborted) return;
          const outcome = await visit(tenantId, signal);
          if (!signal.aborted) onTenant?.(tenantId, outcome);
        }
        await delay(Math.max(0, nextAt - performance.now()), signal);
      }
    },
  };
}

async function tenantsOf(storage: Storage, log: Logger): Promise<string[]> {
  try {
    return await listTenants(storage);
  } catch (error) {
    log.warn({ err: error }, 'tenants could not be listed to refresh their marts, trying again later');
    return [];
  }
}

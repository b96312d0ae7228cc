import { randomUUID } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { AddFile } from '../delta/actions.ts';
import type { Snapshot } from '../delta/snapshot.ts';
import type { Table } from '../delta/table.ts';
import { localFile, receivedDays } from '../files/localRows.ts';
import type { SqlEngine } from '../duckdb/sqlEngine.ts';
import type { Storage } from '../storage/storage.ts';
import { DAY_MS, utcDay } from '../../runtime/units.ts';

/** Table property of a tenant's events table: days to keep events. */
const RETENTION_PROPERTY = 'spor.retentionDays';

/** Days to keep a tenant's tables, from its events table; undefined: for ever. */
export function retentionDays({ metaData }: Pick<Snapshot, 'metaData'>): number | undefined {
  const days = Number(metaData?.configuration[RETENTION_PROPERTY]);
  return Number.isInteger(days) && days > 0 ? days : undefined;
}

/** Sets the days to keep; undefined: for ever. */
export async function setRetention(events: Table, days: number | undefined): Promise<void> {
  const value = days === undefined ? undefined : String(days);
  const info = { operation: 'SET TBLPROPERTIES', operationParameters: { [RETENTION_PROPERTY]: value ?? null } };
  await events.configure({ name: RETENTION_PROPERTY, value, info });
}

/** The first date to keep. Pure. */
export function firstKeptDate(days: number, now: number): string {
  return utcDay(now - days * DAY_MS);
}

/** Choose the files of expired days: days wholly older than the given number. Pure. */
export function planExpiry({ files }: Pick<Snapshot, 'files'>, days: number, now: number): AddFile[] {
  const firstKept = firstKeptDate(days, now);
  return [...files.values()].filter(({ partitionValues: { date } }) => {
    return typeof date === 'string' && /^\d{4}-\d\d-\d\d$/.test(date) && date < firstKept;
  });
}

/**
 * Removes expired days from a table in one commit; returns the number of files.
 *
 * Vacuum deletes the files after the grace time. The commit counts the rows as `expired` by day of receipt.
 * @throws TxnConflictError if a compaction replaced one of the files first: plan again
 */
export async function expire(
  table: Table,
  days: number,
  { storage, engine, workDir, now }: { storage: Storage; engine: SqlEngine; workDir: string; now: number },
): Promise<number> {
  const remove = planExpiry(await table.snapshot(), days, now);
  if (remove.length === 0) return 0;
  const folder = join(workDir, `compact-${process.pid}-${randomUUID()}`);
  const session = engine.session();
  try {
    await mkdir(folder, { recursive: true });
    const counts: Record<string, { expired: number }> = {};
    for (const { path } of remove) {
      const local = await localFile(storage, `${table.spec.root}/${path}`, folder);
      for (const [day, rows] of await receivedDays(session, local.file)) {
        counts[day] = { expired: (counts[day]?.expired ?? 0) + rows };
      }
      await local.release();
    }
    const firstKept = firstKeptDate(days, now);
    const info = {
      operation: 'DELETE',
      operationParameters: { predicate: `date < '${firstKept}'`, reason: `retention of ${days} days` },
      days: counts,
    };
    await table.replace({ remove, add: [], dataChange: true, unusedSinceMs: now, info });
    return remove.length;
  } finally {
    await session.close();
    await rm(folder, { recursive: true, force: true });
  }
}

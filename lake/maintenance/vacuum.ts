import type { RemoveFile } from '../delta/actions.ts';
import { TOMBSTONE_MS } from '../delta/checkpoint.ts';
import { VACUUM_ID } from '../delta/guards.ts';
import type { Table } from '../delta/table.ts';
import type { Storage, StoredObject } from '../storage/storage.ts';
import { isMartFile, parsePartition } from '../layout/tables.ts';

/** Beyond what a query still reads. A writer that takes longer than this from an upload to its commit has to begin anew. */
const MIN_GRACE_MS = 3_600_000;
/** How far the clock of a writer may be ahead of the store's; S3 refuses requests beyond. */
const CLOCK_SKEW_MS = 900_000;
/** The newest snapshot is read again before each so many deletions. */
const DELETED_AT_ONCE = 500;

export interface VacuumOptions {
  /** How long a file stays after it was removed from the table, or uploaded and never added. */
  graceMs: number;
  /** Only say what would be deleted. */
  dryRun?: boolean;
  /** Allow less than MIN_GRACE_MS: only right while nothing writes to the table or reads it. */
  force?: boolean;
  now?: number;
  signal?: AbortSignal;
}

interface DoomedFile {
  /** Relative to the table's root. */
  path: string;
  bytes: number;
  /** Since when it is in no table, in milliseconds since 1970. */
  unusedSinceMs: number;
  /** Removed from the table, by compaction or otherwise; or never in it, as far as the log tells. */
  why: 'removed' | 'orphan';
}

export interface VacuumPlan {
  doomed: DoomedFile[];
  /** Data files of the table. */
  live: number;
  /** Not in the table, and younger than the grace time. */
  young: number;
  /** Not data files of ours, left alone. */
  foreign: number;
}

export interface VacuumReport extends VacuumPlan {
  root: string;
  version: number;
  deletedFiles: number;
  deletedBytes: number;
}

/**
 * Deletes the data files that are not in the table any more, or never were, once they are older than the grace time.
 * Afterwards versions of the table that are older than that cannot be read. Before the first deletion a commit says how old
 * files may be gone, so that a writer which was stopped between uploading such a file and committing it must conflict.
 * @throws RangeError for a grace time that is not safe, or longer than tombstones are kept.
 */
export async function vacuum(storage: Storage, table: Table, options: VacuumOptions): Promise<VacuumReport> {
  const { graceMs, dryRun = false, now = Date.now(), signal } = options;
  checkGrace(options);
  const { root } = table.spec;
  // Listed before the table is read: a file added in between is seen as live.
  const objects: StoredObject[] = [];
  for await (const object of storage.list(`${root}/`)) {
    if (!object.path.startsWith(`${root}/_delta_log/`))
      objects.push({ ...object, path: object.path.slice(root.length + 1) });
  }
  const snapshot = await table.snapshot();
  const report = { root, version: snapshot.version, deletedFiles: 0, deletedBytes: 0 };
  // Without a table there is nothing to compare with: whatever lies there may be about to become one.
  if (snapshot.version < 0) return { ...report, doomed: [], live: 0, young: 0, foreign: objects.length };
  // Tombstones after the snapshot: a file that is in neither was removed before their time, or never added.
  const tombstones = await table.tombstones();
  const olderThan = now - graceMs;
  const plan = planVacuum(objects, { live: snapshot.files, tombstones, olderThan });
  if (plan.doomed.length > 0 && !dryRun) await raiseGuard(table, plan.doomed, olderThan);
  for (let at = 0; at < plan.doomed.length && !dryRun && !signal?.aborted; at += DELETED_AT_ONCE) {
    const { files } = await table.snapshot();
    const batch = plan.doomed.slice(at, at + DELETED_AT_ONCE).filter(({ path }) => !files.has(path));
    await storage.delete(batch.map(({ path }) => `${root}/${path}`));
    report.deletedFiles += batch.length;
    report.deletedBytes += batch.reduce((sum, { bytes }) => sum + bytes, 0);
  }
  return { ...report, ...plan };
}

/** By the files' own times: were this clock far ahead, it would else keep every writer from committing. */
async function raiseGuard(table: Table, doomed: readonly DoomedFile[], olderThan: number): Promise<void> {
  const newest = doomed.reduce((latest, { unusedSinceMs }) => Math.max(latest, unusedSinceMs), 0);
  const version = Math.floor(Math.min(newest + CLOCK_SKEW_MS, olderThan));
  await table.raise({
    id: VACUUM_ID,
    version,
    info: { operation: 'VACUUM START', operationMetrics: { numFilesToDelete: String(doomed.length) } },
  });
}

/**
 * Pure: what to delete. Paths are compared as they are in the store and, decoded, in the log (Delta protocol, "Add File and
 * Remove File"). Only data files within partition folders count; whatever else lies there is not ours.
 */
export function planVacuum(
  objects: readonly StoredObject[],
  table: {
    live: { has(path: string): boolean };
    tombstones: ReadonlyMap<string, RemoveFile>;
    /** Milliseconds since 1970. */
    olderThan: number;
  },
): VacuumPlan {
  const plan: VacuumPlan = { doomed: [], live: 0, young: 0, foreign: 0 };
  for (const { path, size, modified } of objects) {
    const tombstone = table.tombstones.get(path);
    const unusedSinceMs = Math.max(modified.getTime(), tombstone?.deletionTimestamp ?? 0);
    if (table.live.has(path)) plan.live++;
    else if (!isDataFile(path)) plan.foreign++;
    else if (unusedSinceMs >= table.olderThan) plan.young++;
    else plan.doomed.push({ path, bytes: size, unusedSinceMs, why: tombstone ? 'removed' : 'orphan' });
  }
  return plan;
}

function isDataFile(path: string): boolean {
  const name = path.slice(path.lastIndexOf('/') + 1);
  const known = parsePartition(path) !== undefined || isMartFile(path);
  return known && name.endsWith('.parquet') && !/^[._]/.test(name);
}

function checkGrace({ graceMs, force = false }: VacuumOptions): void {
  if (!(graceMs >= 0) || graceMs > TOMBSTONE_MS) {
    throw new RangeError(
      `a grace time of ${graceMs / 3_600_000} h is not possible: when a file was removed is known for ${TOMBSTONE_MS / 3_600_000} h`,
    );
  }
  if (graceMs < MIN_GRACE_MS && !force) {
    throw new RangeError(
      `a grace time of ${graceMs / 3_600_000} h is too short: a file under way could be deleted before its commit names it, ` +
        'or under a query. Give 1 h or more, or force it while nothing writes or reads',
    );
  }
}

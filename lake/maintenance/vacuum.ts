import type { RemoveFile } from '../delta/actions.ts';
import { TOMBSTONE_MS } from '../delta/checkpoint.ts';
import { VACUUM_ID } from '../delta/guards.ts';
import type { Table } from '../delta/table.ts';
import { agreedNow, MOST_CLOCK_DIFFERENCE_MS, type Present } from '../storage/agreedTime.ts';
import type { Storage, StoredObject } from '../storage/storage.ts';
import { isMartFile, parsePartition } from '../layout/tables.ts';

/** Shortest grace time: longer than a query reads, or than a writer takes from upload to commit. */
const MIN_GRACE_MS = 3_600_000;
/** Largest step back of the store's clock between a writer's reading and its upload. */
const STORE_STEP_MS = MOST_CLOCK_DIFFERENCE_MS;
/** Deletions between two reads of the newest snapshot. */
const DELETED_AT_ONCE = 500;

export interface VacuumOptions {
  /**
   * Time that an unused file stays.
   *
   * A file is unused after its removal from the table, or after an upload without a commit.
   */
  graceMs: number;
  /** Whether only to report the files to delete. */
  dryRun?: boolean;
  /**
   * Whether to allow less than MIN_GRACE_MS.
   *
   * That is safe only while nothing reads or writes the table.
   */
  force?: boolean;
  /** The store's present; absent: if the clocks of this host and the store agree. */
  present?: Present;
  signal?: AbortSignal;
}

interface DoomedFile {
  /** Relative to the table's root. */
  path: string;
  bytes: number;
  /** Time since which no table has the file, in milliseconds since 1970. */
  unusedSinceMs: number;
  /** Removed by a commit, or never in the table. */
  why: 'removed' | 'orphan';
}

export interface VacuumPlan {
  doomed: DoomedFile[];
  /** Live data files of the table. */
  live: number;
  /** Unused files that are younger than the grace time. */
  young: number;
  /** Files that are not data files of ours, and stay. */
  foreign: number;
}

export interface VacuumReport extends VacuumPlan {
  root: string;
  version: number;
  deletedFiles: number;
  deletedBytes: number;
}

/**
 * Deletes unused data files that are older than the grace time.
 *
 * Versions of the table older than that become unreadable. Before the first deletion a commit records the age of the
 * deleted files. A writer that was stopped between upload and commit of such a file then conflicts. All times are the
 * store's: of an upload, a removal, a writer's beginning, and the present.
 * @throws RangeError for a grace time that is unsafe, or longer than tombstones are kept; LakeError clocks_differ
 */
export async function vacuum(storage: Storage, table: Table, options: VacuumOptions): Promise<VacuumReport> {
  const { graceMs, dryRun = false, present = () => agreedNow(storage), signal } = options;
  checkGrace(options);
  const { root } = table.spec;
  // The listing precedes the read of the table, so a file added in between counts as live.
  const objects: StoredObject[] = [];
  for await (const object of storage.list(`${root}/`)) {
    if (!object.path.startsWith(`${root}/_delta_log/`))
      objects.push({ ...object, path: object.path.slice(root.length + 1) });
  }
  const snapshot = await table.snapshot();
  const report = { root, version: snapshot.version, deletedFiles: 0, deletedBytes: 0 };
  // Without a table there is nothing to compare: the files may belong to a first commit under way.
  if (snapshot.version < 0) return { ...report, doomed: [], live: 0, young: 0, foreign: objects.length };
  // Tombstones after the snapshot: a file in neither was removed before they began, or never added.
  const tombstones = await table.tombstones();
  const olderThan = (await present()) - graceMs;
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

/** Raises the guard by the files' own times: a clock far ahead would stop every writer. */
async function raiseGuard(table: Table, doomed: readonly DoomedFile[], olderThan: number): Promise<void> {
  const newest = doomed.reduce((latest, { unusedSinceMs }) => Math.max(latest, unusedSinceMs), 0);
  const version = Math.floor(Math.min(newest + STORE_STEP_MS, olderThan));
  await table.raise({
    id: VACUUM_ID,
    version,
    info: { operation: 'VACUUM START', operationMetrics: { numFilesToDelete: String(doomed.length) } },
  });
}

/**
 * Choose the files to delete. Pure.
 *
 * Paths are compared as stored and, decoded, as in the log (Delta protocol, "Add File and Remove File"). Only data
 * files in partition folders count.
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

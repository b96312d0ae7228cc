import {
  checkpointVersion,
  readCheckpoint,
  readHint,
  readTombstones,
  writeHint,
  type CheckpointFormat,
} from '../delta/checkpoint.ts';
import { foldCountsBefore } from '../counts/commits.ts';
import { entryVersion } from '../delta/log.ts';
import { agreedNow, type Present } from '../storage/agreedTime.ts';
import type { Storage } from '../storage/storage.ts';

/** A writer stopped in a commit must find its version taken. */
const MIN_LOG_RETENTION_MS = 3_600_000;
/** Newest log entries that stay whatever their age, so that a writer behind finds its version taken. */
export const KEPT_ENTRIES = 100;

/** A file of the log that belongs to a version. */
export interface LogFile {
  /** Relative to the lake. */
  path: string;
  version: number;
  kind: 'entry' | 'checkpoint' | 'other';
  /** Milliseconds since 1970. */
  modifiedMs: number;
}

/** Undefined: nothing to do. */
export interface LogCleanupPlan {
  /** First version of the log after the cleanup. */
  checkpoint: number;
  /** Oldest first, so that the log has no gap at any time. */
  paths: string[];
}

/**
 * Choose the log files to delete (Delta protocol, "Metadata Cleanup"). Pure.
 *
 * Deleted files are older than the newest checkpoint that no retained version precedes. Every version younger than the
 * retention stays readable, and so do the newest versions.
 */
export function planLogCleanup(
  files: readonly LogFile[],
  {
    olderThan,
    hint,
    keepEntries = KEPT_ENTRIES,
  }: { olderThan: number; hint: number | undefined; keepEntries?: number },
): LogCleanupPlan | undefined {
  const entries = files.filter(({ kind }) => kind === 'entry').sort((a, b) => a.version - b.version);
  const firstKept = entries.findIndex(({ modifiedMs }) => modifiedMs >= olderThan);
  const expiring = entries.slice(0, Math.max(0, entries.length - keepEntries));
  const lastExpired = expiring.slice(0, firstKept < 0 ? undefined : firstKept).at(-1)?.version ?? -1;
  // Readers begin at the hint's checkpoint, so it must exist.
  const cutoff = Math.min(lastExpired, hint ?? -1);
  const checkpoint = files
    .filter(({ kind, version }) => kind === 'checkpoint' && version <= cutoff)
    .reduce((newest, { version }) => Math.max(newest, version), -1);
  const expired = files.filter(({ version }) => version < checkpoint).sort((a, b) => a.version - b.version);
  return expired.length > 0 ? { checkpoint, paths: expired.map(({ path }) => path) } : undefined;
}

export interface LogCleanup {
  deletedFiles: number;
  /** First version of the log now; undefined if nothing was deleted. */
  startsAt: number | undefined;
}

/**
 * Deletes log entries and checkpoints that no retained version needs.
 *
 * The new first checkpoint is read whole before any deletion, and the counts of the entries are folded.
 *
 * Ages are by the store's clock. No file goes while the clocks differ.
 * @throws RangeError for a retention under MIN_LOG_RETENTION_MS; LakeError clocks_differ, table_corrupt,
 *   storage_unavailable
 */
export async function cleanLog(
  storage: Storage,
  root: string,
  options: { retentionMs: number; checkpoints: CheckpointFormat; present?: Present; keepEntries?: number },
): Promise<LogCleanup> {
  const { retentionMs, checkpoints, present = () => agreedNow(storage), keepEntries } = options;
  if (!(retentionMs >= MIN_LOG_RETENTION_MS)) throw new RangeError('the log must be kept for 1 h or more');
  const files = await listLogFiles(storage, root);
  const newest = files.reduce((max, { kind, version }) => (kind === 'checkpoint' ? Math.max(max, version) : max), -1);
  if (newest < 0) return { deletedFiles: 0, startsAt: undefined };
  await repairHint(storage, root, { newest, checkpoints });
  const olderThan = (await present()) - retentionMs;
  const hint = await readHint(storage, root);
  const plan = planLogCleanup(files, { olderThan, hint, ...(keepEntries === undefined ? {} : { keepEntries }) });
  if (!plan) return { deletedFiles: 0, startsAt: undefined };
  const start = await readCheckpoint(storage, root, plan.checkpoint, checkpoints);
  if (!start) return { deletedFiles: 0, startsAt: undefined };
  await foldCountsBefore(storage, root, plan.checkpoint);
  // One after another: a writer takes an entry for the last one if the entry before it is there (continuesLog).
  for (const path of plan.paths) await storage.delete([path]);
  return { deletedFiles: plan.paths.length, startsAt: plan.checkpoint };
}

/** Restores the hint after a killed writer or a race. */
async function repairHint(
  storage: Storage,
  root: string,
  { newest, checkpoints }: { newest: number; checkpoints: CheckpointFormat },
): Promise<void> {
  if ((await readHint(storage, root)) === newest) return;
  const snapshot = await readCheckpoint(storage, root, newest, checkpoints);
  if (!snapshot) return;
  const { size: removes } = await readTombstones(storage, root, newest, checkpoints);
  const size = 2 + snapshot.txns.size + snapshot.files.size + removes;
  await writeHint(storage, root, { version: newest, size, numOfAddFiles: snapshot.files.size });
}

async function listLogFiles(storage: Storage, root: string): Promise<LogFile[]> {
  const files: LogFile[] = [];
  for await (const { path, modified } of storage.list(`${root}/_delta_log/`)) {
    const name = path.slice(path.lastIndexOf('/') + 1);
    const match = /^(\d{20})\./.exec(name);
    if (!match || path !== `${root}/_delta_log/${name}`) continue;
    const kind =
      entryVersion(name) !== undefined ? 'entry' : checkpointVersion(name) !== undefined ? 'checkpoint' : 'other';
    files.push({ path, version: Number(match[1]), kind, modifiedMs: modified.getTime() });
  }
  return files;
}

import { access } from 'node:fs/promises';
import { LakeError } from '../errors.ts';
import type { Storage } from '../storage/storage.ts';
import { checkReadable, formatActions, parseActions, type Action } from './actions.ts';
import { checkpointPath, checkpointVersion, readCheckpoint, readHint, type CheckpointFormat } from './checkpoint.ts';
import { NO_TABLE, replayActions, type Commit, type Snapshot } from './snapshot.ts';
import { paddedVersion } from './paddedVersion.ts';

/** Number of concurrent reads of entries. */
const READS_AT_ONCE = 32;
/** Most new entries whose reads are cheaper than a checkpoint. */
const REPLAYED_AT_MOST = 500;
/** Most tries of a read that meets log cleanups. */
const MAX_TRIES = 3;
const ENTRY_NAME = /^(\d{20})\.json$/;

/** Versions of a log's listing, in ascending order. */
export interface LogVersions {
  entries: number[];
  checkpoints: number[];
}

/** Plan of a snapshot's update. */
export interface ReadPlan {
  /** First checkpoint to read; undefined: the snapshot is the start. */
  checkpoint: number | undefined;
  entries: number[];
}

/** `00000000000000000007.json` (Delta protocol, "Delta Log Entries"). */
function entryName(version: number): string {
  return `${paddedVersion(version)}.json`;
}

/** Path of a log entry, relative to the lake. */
export function entryPath(root: string, version: number): string {
  return `${root}/_delta_log/${entryName(version)}`;
}

/** Parse the file name of a log entry into its version. */
export function entryVersion(name: string): number | undefined {
  const match = ENTRY_NAME.exec(name);
  return match ? Number(match[1]) : undefined;
}

/**
 * Update a snapshot with the new entries of the log.
 * The newest checkpoint is the start if there is no snapshot, or the log was cleaned since. Without new entries the same
 * object is returned.
 * @throws LakeError table_corrupt, table_unsupported, storage_unavailable
 */
export async function readLog(
  storage: Storage,
  root: string,
  options: { base?: Snapshot; checkpoints: CheckpointFormat },
): Promise<Snapshot> {
  let { base = NO_TABLE } = options;
  for (let tries = 1; ; tries++) {
    const versions = await listLog(storage, root, base.version);
    const plan = planRead(versions, base.version);
    if (plan === 'cleaned') {
      base = NO_TABLE;
      continue;
    }
    try {
      return await read(storage, root, { base, plan, checkpoints: options.checkpoints });
    } catch (error) {
      if (!mayReadAnew(error, base) || tries === MAX_TRIES) throw error;
      base = NO_TABLE;
    }
  }
}

/**
 * Read the table as of an older version.
 * @throws LakeError version_gone if the log has been cleaned beyond it
 */
export async function readVersion(
  storage: Storage,
  root: string,
  { version, checkpoints }: { version: number; checkpoints: CheckpointFormat },
): Promise<Snapshot> {
  const listed = await listFrom(storage, root, undefined);
  const checkpoint = listed.checkpoints.findLast((known) => known <= version);
  const entries = listed.entries.filter((known) => known > (checkpoint ?? -1) && known <= version);
  const gone = (cause?: unknown): LakeError =>
    new LakeError(
      'version_gone',
      `Version ${version} of ${root} can no longer be read, because its log entries were deleted.`,
      {
        cause,
      },
    );
  if (entries.length !== version - (checkpoint ?? -1)) throw gone();
  try {
    return await read(storage, root, { base: NO_TABLE, plan: { checkpoint, entries }, checkpoints });
  } catch (error) {
    throw error instanceof EntryVanishedError ? gone(error) : error;
  }
}

/**
 * Plan the start and the entries to apply. `cleaned`: entries after the snapshot are deleted.
 * Entries are a sure continuation only while the snapshot's own entry is listed: a late writer may have created one below a
 * checkpoint, where the log was cleaned.
 */
export function planRead({ entries, checkpoints }: LogVersions, after: number): ReadPlan | 'cleaned' {
  const newer = entries.filter((version) => version > after);
  const contiguous = newer.length === 0 || newer.at(-1) === after + newer.length;
  const checkpoint = checkpoints.findLast((version) => version > after);
  if (checkpoint === undefined) return contiguous || after < 0 ? { checkpoint, entries: newer } : 'cleaned';
  const few = newer.length > 0 && newer.length <= REPLAYED_AT_MOST;
  if (after >= 0 && contiguous && few && entries.includes(after)) return { checkpoint: undefined, entries: newer };
  return { checkpoint, entries: newer.filter((version) => version > checkpoint) };
}

/** Path that sorts before all files of a version, and after those of the version before. */
function beforeEntry(root: string, version: number): string {
  return `${root}/_delta_log/${paddedVersion(version)}`;
}

/**
 * Whether a created entry continues the log: the entry before it is there, so nobody has cleaned the log up to it.
 * Logs are cleaned from the start, one file after another. For version 0 no checkpoint may exist.
 */
export async function continuesLog(storage: Storage, root: string, version: number): Promise<boolean> {
  if (version > 0) return storage.has(entryPath(root, version - 1));
  return (await listFrom(storage, root, entryPath(root, 0))).checkpoints.length === 0;
}

/** Create a log entry; true means durable, false that the version is taken. */
export async function writeEntry(
  storage: Storage,
  root: string,
  version: number,
  actions: readonly Action[],
): Promise<boolean> {
  return storage.putIfAbsent(entryPath(root, version), Buffer.from(formatActions(actions)));
}

/**
 * Whether a fresh read may do what the replay of new entries cannot.
 * A restored table has a checkpoint after the entries of another tool that this Spor does not read.
 */
function mayReadAnew(error: unknown, base: Snapshot): boolean {
  if (error instanceof EntryVanishedError) return true;
  return error instanceof LakeError && error.code === 'table_unsupported' && base.version >= 0;
}

/** A listed file is missing, because the log is being cleaned. */
class EntryVanishedError extends LakeError {
  constructor(root: string, what: string) {
    super('table_corrupt', `${root}: ${what} was listed and is not there`);
    this.name = 'EntryVanishedError';
  }
}

async function read(
  storage: Storage,
  root: string,
  { base, plan, checkpoints }: { base: Snapshot; plan: ReadPlan; checkpoints: CheckpointFormat },
): Promise<Snapshot> {
  let start: Snapshot | undefined = base;
  if (plan.checkpoint !== undefined) {
    start = await readCheckpoint(storage, root, plan.checkpoint, checkpoints);
    if (!start) throw new EntryVanishedError(root, `checkpoint ${plan.checkpoint}`);
  }
  const first = plan.entries[0];
  if (start.version < 0 && first !== undefined && first > 0) await refuseMissingCheckpoint(storage, root, first);
  const commits: Commit[] = [];
  for (let at = 0; at < plan.entries.length; at += READS_AT_ONCE) {
    const batch = plan.entries.slice(at, at + READS_AT_ONCE);
    commits.push(...(await Promise.all(batch.map((version) => readEntry(storage, root, version)))));
  }
  const snapshot = replayActions(start, commits, root);
  if (snapshot.protocol) checkReadable(snapshot.protocol, root);
  return snapshot;
}

async function readEntry(storage: Storage, root: string, version: number): Promise<Commit> {
  const body = await storage.get(entryPath(root, version));
  if (!body) throw new EntryVanishedError(root, `log entry ${version}`);
  return { version, actions: parseActions(Buffer.from(body).toString('utf8'), entryPath(root, version)) };
}

/** List the log after a version, or from the checkpoint of the hint. */
async function listLog(storage: Storage, root: string, after: number): Promise<LogVersions> {
  if (after >= 0) return (await probeFolder(storage, root, after)) ?? listFrom(storage, root, beforeEntry(root, after));
  const hint = await readHint(storage, root);
  if (hint !== undefined) {
    const probed = await probeFolder(storage, root, hint, checkpointPath(root, hint));
    if (probed) return { ...probed, checkpoints: [hint] };
    // Names with this start sort after it: the checkpoint itself, and the entry of its version.
    const versions = await listFrom(storage, root, `${root}/_delta_log/${paddedVersion(hint)}.`);
    if (versions.checkpoints.length > 0) return versions;
  }
  return listFrom(storage, root, undefined);
}

/**
 * Find the entries after a version by their names, in a lake in a folder.
 * A folder can only be listed whole, which is slow for the log of a week. Undefined if a listing is needed. Logs are cleaned
 * from the start, so an existing entry proves those after it.
 */
async function probeFolder(
  storage: Storage,
  root: string,
  after: number,
  needed = entryPath(root, after),
): Promise<LogVersions | undefined> {
  const isThere = async (path: string): Promise<boolean> => {
    const file = storage.localPath(path);
    return file !== undefined && (await access(file).then(() => true, isAbsent));
  };
  const entries: number[] = [];
  for (let version = after + 1; await isThere(entryPath(root, version)); version++) {
    if (entries.push(version) > REPLAYED_AT_MOST) return undefined;
  }
  return (await isThere(entryPath(root, after))) && (await isThere(needed)) ? { entries, checkpoints: [] } : undefined;
}

function isAbsent(error: unknown): false {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  return false;
}

async function listFrom(storage: Storage, root: string, startAfter: string | undefined): Promise<LogVersions> {
  const versions: LogVersions = { entries: [], checkpoints: [] };
  for await (const { path } of storage.list(`${root}/_delta_log/`, startAfter)) {
    const name = path.slice(path.lastIndexOf('/') + 1);
    const entry = entryVersion(name);
    if (entry !== undefined) versions.entries.push(entry);
    const checkpoint = checkpointVersion(name);
    if (checkpoint !== undefined) versions.checkpoints.push(checkpoint);
  }
  return versions;
}

/** A cleaned log begins after version 0, with a checkpoint. */
async function refuseMissingCheckpoint(storage: Storage, root: string, first: number): Promise<never> {
  const hint = await readHint(storage, root);
  throw hint === undefined
    ? new LakeError('table_corrupt', `${root}: the log starts at entry ${first} and there is no checkpoint before it`)
    : new LakeError(
        'table_unsupported',
        `${root}: the log starts at entry ${first}, and checkpoint ${hint} before it is not a file this Spor reads: ` +
          'only classic checkpoints in one Parquet file are',
      );
}

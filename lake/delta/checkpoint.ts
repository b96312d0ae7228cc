import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LakeError } from '../errors.ts';
import { fetchLocal } from '../storage/fetchLocal.ts';
import type { Storage } from '../storage/storage.ts';
import { encodePath, formatActions, readAction, type Action, type RemoveFile } from './actions.ts';
import { NO_TABLE, replayActions, type Snapshot } from './snapshot.ts';
import { paddedVersion } from './paddedVersion.ts';

/**
 * Classic checkpoints (Delta protocol, "Checkpoints") as Parquet files.
 * A checkpoint holds the sum of the log entries before it, so that readers start there and older entries can be deleted.
 *
 * A snapshot in memory omits the tombstones before its checkpoint, because only vacuum reads them and a table may have more
 * of them than files. DuckDB copies them from one checkpoint to the next.
 */
export interface CheckpointFormat {
  /** Write a checkpoint, and read its contents back from the finished file. */
  write(job: CheckpointJob): Promise<CheckpointContents>;
  /** Read its actions without tombstones. Absent fields may be null. */
  readState(file: string): Promise<unknown[]>;
  /** Read its tombstones. */
  readTombstones(file: string): Promise<unknown[]>;
}

export interface CheckpointJob {
  /** File of actions, as in a log entry. */
  actionsFile: string;
  /** Bytes of the longest line. */
  longestLine: number;
  /** File of all paths in the actions: `{"path": …}` lines. */
  pathsFile: string;
  /** The last checkpoint. Its tombstones are copied, unless the actions name their path. */
  previous: string | undefined;
  /** Older tombstones are dropped. Milliseconds since 1970. */
  keepTombstonesSince: number;
  /** The store's present. A removal by a clock ahead is recorded as of now, or its file would stay for years. */
  now: number;
  target: string;
}

export interface CheckpointContents {
  protocols: number;
  metaDatas: number;
  txns: number;
  adds: number;
  /** Bytes of all added files. */
  addBytes: number;
  removes: number;
}

/** A finished checkpoint. */
export interface Checkpoint {
  version: number;
  /** Number of actions. */
  rows: number;
  bytes: number;
}

/**
 * Time for which a tombstone is kept, which is the longest grace time of vacuum.
 * One week is also the default of Delta's `delta.deletedFileRetentionDuration`.
 */
export const TOMBSTONE_MS = 168 * 3_600_000;

const CHECKPOINT_NAME = /^(\d{20})\.checkpoint\.parquet$/;

/** Path of a classic checkpoint, relative to the lake. */
export function checkpointPath(root: string, version: number): string {
  return `${root}/_delta_log/${paddedVersion(version)}.checkpoint.parquet`;
}

/** Parse the file name of a classic checkpoint into its version. */
export function checkpointVersion(name: string): number | undefined {
  const match = CHECKPOINT_NAME.exec(name);
  return match ? Number(match[1]) : undefined;
}

/**
 * Read the snapshot of a checkpoint; undefined if the checkpoint does not exist.
 * @throws LakeError table_corrupt
 */
export async function readCheckpoint(
  storage: Storage,
  root: string,
  version: number,
  format: CheckpointFormat,
): Promise<Snapshot | undefined> {
  const path = checkpointPath(root, version);
  return withLocalFile(storage, path, async (file) => {
    if (file === undefined) return undefined;
    const actions = toActions(await readingOf(path, format.readState(file)), path);
    const base = { ...NO_TABLE, version: version - 1, checkpoint: version };
    return replayActions(base, [{ version, actions }], root);
  });
}

/** Read the tombstones of a checkpoint, by path; empty without a checkpoint. */
export async function readTombstones(
  storage: Storage,
  root: string,
  version: number,
  format: CheckpointFormat,
): Promise<Map<string, RemoveFile>> {
  const path = checkpointPath(root, version);
  return withLocalFile(storage, path, async (file) => {
    const actions = file === undefined ? [] : toActions(await readingOf(path, format.readTombstones(file)), path);
    return new Map(actions.flatMap((action) => ('remove' in action ? [[action.remove.path, action.remove]] : [])));
  });
}

/**
 * Write the checkpoint of a snapshot, and point `_last_checkpoint` to it.
 * The first of several writers wins. Undefined if the snapshot's own checkpoint was deleted with its tombstones: read the
 * table again.
 * @throws LakeError storage_unavailable; Error if the finished file differs from the snapshot
 */
export async function writeCheckpoint(
  storage: Storage,
  root: string,
  snapshot: Snapshot,
  { format, now }: { format: CheckpointFormat; now: number },
): Promise<Checkpoint | undefined> {
  return withScratch(async (scratch) => {
    const actions = stateActions(snapshot, now);
    const write = (previous: string | undefined) => writeParquet(scratch, actions, { format, now, previous });
    const written =
      snapshot.checkpoint < 0
        ? await write(undefined)
        : await withLocalFile(storage, checkpointPath(root, snapshot.checkpoint), async (previous) =>
            previous === undefined ? undefined : write(previous),
          );
    if (!written) return undefined;
    const { target, contents } = written;
    verify(contents, snapshot, root);
    const { size: bytes } = await stat(target);
    await storage.upload(checkpointPath(root, snapshot.version), target).catch((error: unknown) => {
      // Another writer's checkpoint of the version has the same contents.
      if (!(error instanceof LakeError) || error.code !== 'storage_object_exists') throw error;
    });
    const rows = contents.protocols + contents.metaDatas + contents.txns + contents.adds + contents.removes;
    const hint = { version: snapshot.version, size: rows, sizeInBytes: bytes, numOfAddFiles: contents.adds };
    await writeHint(storage, root, hint);
    return { version: snapshot.version, rows, bytes };
  });
}

/** Version in `_last_checkpoint`; undefined if the file is missing or unreadable. */
export async function readHint(storage: Storage, root: string): Promise<number | undefined> {
  const body = await storage.get(hintPath(root));
  if (!body) return undefined;
  try {
    const { version } = JSON.parse(Buffer.from(body).toString('utf8')) as { version?: unknown };
    return Number.isSafeInteger(version) && Number(version) >= 0 ? Number(version) : undefined;
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError) return undefined; // only a hint
    throw error;
  }
}

/**
 * Move `_last_checkpoint` forward.
 * The storage does not overwrite, so the file is missing for a moment, in which readers list the log. Of two concurrent
 * writers the older one may be last. It removes its own hint, and the next checkpoint or log cleanup writes a new one.
 */
export async function writeHint(
  storage: Storage,
  root: string,
  hint: { version: number; size: number; sizeInBytes?: number; numOfAddFiles: number },
): Promise<void> {
  const current = await readHint(storage, root);
  if (current !== undefined && current >= hint.version) return;
  await storage.delete([hintPath(root), ...hintChecksums(root)]);
  await storage.putIfAbsent(hintPath(root), Buffer.from(JSON.stringify(hint)));
  if (await hasNewerCheckpoint(storage, root, hint.version)) await storage.delete([hintPath(root)]);
}

async function hasNewerCheckpoint(storage: Storage, root: string, version: number): Promise<boolean> {
  for await (const { path } of storage.list(`${root}/_delta_log/`, checkpointPath(root, version))) {
    if (checkpointVersion(path.slice(path.lastIndexOf('/') + 1)) !== undefined) return true;
  }
  return false;
}

function hintPath(root: string): string {
  return `${root}/_delta_log/_last_checkpoint`;
}

/** Checksums beside the hint, as Hadoop writes in a folder. They are wrong for any other hint, and Spark then fails. */
function hintChecksums(root: string): string[] {
  return [`${root}/_delta_log/._last_checkpoint.crc`, `${root}/_delta_log/_last_checkpoint.crc`];
}

/** Required actions of a checkpoint, without old tombstones (Delta protocol, "Requirements for Writers"). */
function stateActions({ protocol, metaData, txns, files, tombstones }: Snapshot, now: number): Action[] {
  if (!protocol || !metaData) throw new Error('a table that does not exist has no checkpoint');
  return [
    { protocol },
    { metaData },
    ...[...txns].map(([appId, version]) => ({ txn: { appId, version } })),
    ...[...files.values()].map((add) => ({ add: { ...add, dataChange: false } })),
    ...[...tombstones.values()]
      .map((remove) => ({ ...remove, deletionTimestamp: Math.min(remove.deletionTimestamp ?? 0, now) }))
      .filter(({ deletionTimestamp }) => deletionTimestamp >= now - TOMBSTONE_MS)
      .map((remove) => ({ remove: { ...remove, dataChange: false } })),
  ];
}

async function writeParquet(
  scratch: string,
  actions: readonly Action[],
  { format, now, previous }: { format: CheckpointFormat; now: number; previous: string | undefined },
): Promise<{ target: string; contents: CheckpointContents }> {
  const actionsFile = join(scratch, 'actions.ndjson');
  const pathsFile = join(scratch, 'paths.ndjson');
  const target = join(scratch, 'checkpoint.parquet');
  const lines = actions.map((action) => formatActions([action]));
  await writeFile(actionsFile, lines);
  const paths = actions.flatMap((action) =>
    'add' in action ? [action.add.path] : 'remove' in action ? [action.remove.path] : [],
  );
  await writeFile(
    pathsFile,
    paths.map((path) => `${JSON.stringify({ path: encodePath(path) })}\n`),
  );
  const contents = await format.write({
    actionsFile,
    longestLine: lines.reduce((longest, line) => Math.max(longest, Buffer.byteLength(line)), 0),
    pathsFile,
    previous,
    keepTombstonesSince: now - TOMBSTONE_MS,
    now,
    target,
  });
  return { target, contents };
}

/** Compare a checkpoint with its snapshot: every reader would trust a wrong one. */
function verify(contents: CheckpointContents, snapshot: Snapshot, root: string): void {
  const expected = {
    protocols: 1,
    metaDatas: 1,
    txns: snapshot.txns.size,
    adds: snapshot.files.size,
    addBytes: [...snapshot.files.values()].reduce((sum, { size }) => sum + size, 0),
  };
  for (const [what, count] of Object.entries(expected)) {
    const found = contents[what as keyof typeof expected];
    if (found !== count) throw new Error(`${root}: a checkpoint was written with ${what} ${found}, expected ${count}`);
  }
}

/** Turn rows of a checkpoint into actions, without their null fields. */
function toActions(rows: readonly unknown[], path: string): Action[] {
  return rows.flatMap((row) => {
    const [[kind, fields] = []] = Object.entries(row as Record<string, Record<string, unknown> | null>);
    if (kind === undefined || !fields) return [];
    const present = Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null));
    const action = readAction({ [kind]: present }, path);
    return action ? [action] : [];
  });
}

async function readingOf(path: string, rows: Promise<unknown[]>): Promise<unknown[]> {
  try {
    return await rows;
  } catch (error) {
    throw new LakeError('table_corrupt', `${path} cannot be read as a checkpoint`, { cause: error });
  }
}

/** Run a task with an object as a local file; undefined if it does not exist. */
async function withLocalFile<T>(
  storage: Storage,
  path: string,
  task: (file: string | undefined) => Promise<T>,
): Promise<T> {
  return withScratch(async (scratch) => {
    const file = await fetchLocal(storage, path, join(scratch, 'checkpoint.parquet'));
    return task(file === undefined ? undefined : await exists(file));
  });
}

async function exists(file: string): Promise<string | undefined> {
  try {
    await stat(file);
    return file;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

async function withScratch<T>(task: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'spor-checkpoint-'));
  try {
    return await task(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

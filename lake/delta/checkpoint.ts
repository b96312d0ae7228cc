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
 * Classic checkpoints (Delta protocol, "Checkpoints"): a Parquet file beside the log entries that holds what they add up
 * to, so that a reader starts there and older entries can be deleted.
 *
 * A snapshot in memory holds no tombstones from before the checkpoint it was read from: a table that is compacted all day
 * has many more of them than files, and only vacuum asks for them. They pass from one checkpoint to the next within DuckDB.
 */
export interface CheckpointFormat {
  /** Writes a checkpoint and answers what is in it, read back from the finished file. */
  write(job: CheckpointJob): Promise<CheckpointContents>;
  /** Its actions except for tombstones, as log entries have them; absent fields may be null. */
  readState(file: string): Promise<unknown[]>;
  /** Its tombstones, in the same form. */
  readTombstones(file: string): Promise<unknown[]>;
}

export interface CheckpointJob {
  /** Actions as a log entry has them. */
  actionsFile: string;
  /** Bytes of its longest line. */
  longestLine: number;
  /** One `{"path": …}` a line: what the actions name, as it is written there. */
  pathsFile: string;
  /** The checkpoint before: its tombstones are taken over, unless the actions name their path. */
  previous: string | undefined;
  /** Milliseconds since 1970: tombstones from before are dropped. */
  keepTombstonesSince: number;
  target: string;
}

export interface CheckpointContents {
  protocols: number;
  metaDatas: number;
  txns: number;
  adds: number;
  /** Sum of the sizes of all added files. */
  addBytes: number;
  removes: number;
}

/** A finished checkpoint. */
export interface Checkpoint {
  version: number;
  /** Actions in it. */
  rows: number;
  bytes: number;
}

/**
 * How long a removed file's tombstone is kept, which is the longest grace time vacuum can give: one week, as Delta's
 * `delta.deletedFileRetentionDuration` is by default.
 */
export const TOMBSTONE_MS = 168 * 3_600_000;

const CHECKPOINT_NAME = /^(\d{20})\.checkpoint\.parquet$/;

/** Path of a classic checkpoint, relative to the lake. */
export function checkpointPath(root: string, version: number): string {
  return `${root}/_delta_log/${paddedVersion(version)}.checkpoint.parquet`;
}

/** The version of a classic checkpoint by its file name, or undefined where it is none. */
export function checkpointVersion(name: string): number | undefined {
  const match = CHECKPOINT_NAME.exec(name);
  return match ? Number(match[1]) : undefined;
}

/**
 * The snapshot a checkpoint holds, or undefined where there is no such checkpoint.
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

/** The tombstones a checkpoint holds, by path; none where there is no such checkpoint. */
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
 * Writes the checkpoint of a snapshot and points `_last_checkpoint` to it. Several may do so at once: the first one stands.
 * Undefined when the checkpoint the snapshot was read from is gone, and with it the tombstones: read the table again.
 * @throws LakeError storage_unavailable; Error when the finished file does not hold what the snapshot does.
 */
export async function writeCheckpoint(
  storage: Storage,
  root: string,
  snapshot: Snapshot,
  { format, now }: { format: CheckpointFormat; now: number },
): Promise<Checkpoint | undefined> {
  return withScratch(async (scratch) => {
    const actions = stateActions(snapshot, now - TOMBSTONE_MS);
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
      // Another writer's checkpoint of this version holds the same table.
      if (!(error instanceof LakeError) || error.code !== 'storage_object_exists') throw error;
    });
    const rows = contents.protocols + contents.metaDatas + contents.txns + contents.adds + contents.removes;
    const hint = { version: snapshot.version, size: rows, sizeInBytes: bytes, numOfAddFiles: contents.adds };
    await writeHint(storage, root, hint);
    return { version: snapshot.version, rows, bytes };
  });
}

/** Version of the checkpoint `_last_checkpoint` points to; undefined where there is no such file, or none that says. */
export async function readHint(storage: Storage, root: string): Promise<number | undefined> {
  const body = await storage.get(hintPath(root));
  if (!body) return undefined;
  try {
    const { version } = JSON.parse(Buffer.from(body).toString('utf8')) as { version?: unknown };
    return Number.isSafeInteger(version) && Number(version) >= 0 ? Number(version) : undefined;
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError) return undefined; // it is a hint only
    throw error;
  }
}

/**
 * Moves `_last_checkpoint` on, never back. The storage does not overwrite, so the file is away for a moment: readers then list
 * the log, as the protocol says. Of two writers at once the older one may be last. It takes its own hint away again, and the
 * next checkpoint or log cleanup writes one.
 */
export async function writeHint(
  storage: Storage,
  root: string,
  hint: { version: number; size: number; sizeInBytes?: number; numOfAddFiles: number },
): Promise<void> {
  const current = await readHint(storage, root);
  if (current !== undefined && current >= hint.version) return;
  await storage.delete([hintPath(root)]);
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

/** Everything a checkpoint must say (Delta protocol, "Checkpoints" of "Requirements for Writers"), as far as it is in memory. */
function stateActions({ protocol, metaData, txns, files, tombstones }: Snapshot, keepSince: number): Action[] {
  if (!protocol || !metaData) throw new Error('a table that does not exist has no checkpoint');
  return [
    { protocol },
    { metaData },
    ...[...txns].map(([appId, version]) => ({ txn: { appId, version } })),
    ...[...files.values()].map((add) => ({ add: { ...add, dataChange: false } })),
    ...[...tombstones.values()]
      .filter(({ deletionTimestamp = 0 }) => deletionTimestamp >= keepSince)
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
    target,
  });
  return { target, contents };
}

/** A checkpoint that is not exactly the table would be believed by every reader. */
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

/** A checkpoint's rows as actions: fields that are null there are absent in a log entry. */
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

/** Runs a task with the object as a file of this machine; undefined where there is no such object. */
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

import type { AddFile } from '../../lake/delta/actions.ts';
import { COLUMNS_TAG, columnsFingerprint, HELD_UNTIL_TAG } from '../../lake/delta/schema.ts';
import { asNewFile, type NewFile } from '../../lake/delta/commits.ts';
import { ERASURES_ID } from '../../lake/delta/guards.ts';
import type { Table } from '../../lake/delta/table.ts';
import { TxnConflictError } from '../../lake/delta/txnConflict.ts';
import type { Storage } from '../../lake/storage/storage.ts';
import { REPLAY_RECORDS, newFilePath, type TableName } from '../../lake/layout/tables.ts';
import type { ReplayPartition } from './compare.ts';
import { countsOfErased } from './erased.ts';
import type { ReachReplay } from './failpoint.ts';

/** Record of a swap, kept beside the table for the undo. */
export interface SwapRecord {
  id: string;
  at: string;
  from: string;
  to: string;
  table: TableName;
  removed: AddFile[];
  added: string[];
  /** Number of erasures applied to the removed files; -1: they hold erased people. */
  erasures: number;
}

/** The partitions cannot be swapped, or the swap not undone. */
export class CannotSwapError extends Error {
  override name = 'CannotSwapError';
}

const ERASED_SINCE =
  'cannot be undone after an erasure (spor erase), because the files from before the replay may hold events of the ' +
  'person. Replay the dates again instead, which leaves them out';

/** Time without compaction of the new files. Vacuum keeps the old ones as long. */
const HELD_MS = 24 * 3_600_000;

export interface SwapOptions {
  storage: Storage;
  table: Table;
  name: TableName;
  stream: string;
  /** Number of erasures that the rebuilt files respect. */
  erasures: number;
  /** True if live files hold erased people, which forbids an undo. */
  holdsErased: boolean;
  id: string;
  from: string;
  to: string;
  reach: ReachReplay;
}

/**
 * Replace a table's live files by rebuilt ones in one commit.
 * If the process is killed before the commit, the table is unchanged, and vacuum deletes the uploads.
 * @throws TxnConflictError if another commit has removed a live file. Nothing has changed; compare again
 */
export async function swap(partitions: readonly ReplayPartition[], options: SwapOptions): Promise<{ version: number }> {
  const { storage, table, name, stream, erasures, holdsErased, id, from, to, reach } = options;
  const { root } = table.spec;
  const unusedSinceMs = await storage.now();
  const tags = {
    [COLUMNS_TAG]: columnsFingerprint(table.spec.columns),
    [HELD_UNTIL_TAG]: String(unusedSinceMs + HELD_MS),
  };
  const uploads = partitions.flatMap(({ rebuilt }) =>
    rebuilt.map((file) => {
      const partitionValues = { segment: file.source.segmentId, date: file.date };
      const { firstSequence, lastSequence, bytes: size, rows, stats, localFile } = file;
      const path = newFilePath(partitionValues, { stream, firstSequence, lastSequence });
      return { localFile, file: { path, size, rows, partitionValues, stats, tags } satisfies NewFile };
    }),
  );
  const remove = partitions.flatMap(({ live }) => live);
  const add = uploads.map(({ file }) => file);
  for (const { localFile, file } of uploads) await storage.upload(`${root}/${file.path}`, localFile);
  reach('after-upload');
  const at = new Date(await storage.now()).toISOString();
  const respected = holdsErased ? -1 : ((await table.snapshot()).txns.get(ERASURES_ID) ?? 0);
  const added = add.map(({ path }) => path);
  const record: SwapRecord = { id, at, from, to, table: name, removed: remove, added, erasures: respected };
  await storage.putIfAbsent(recordPath(root, record), Buffer.from(JSON.stringify(record)));
  reach('after-record');
  try {
    const counts = countsOfErased(partitions.flatMap(({ uncounted }) => uncounted));
    const info = { operation: 'REPLAY', operationParameters: { id, from, to }, ...counts };
    const { version } = await table.replace({ remove, add, dataChange: true, unusedSinceMs, erasures, info });
    reach('after-commit');
    return { version };
  } catch (error) {
    // After a conflict nothing is committed. After any other failure the entry may still appear.
    if (error instanceof TxnConflictError) await storage.delete(add.map(({ path }) => `${root}/${path}`));
    throw error;
  }
}

/** Read the records of a table's replays, newest first, also uncommitted ones. */
export async function swapRecords(storage: Storage, { spec: { root } }: Table): Promise<SwapRecord[]> {
  const records: SwapRecord[] = [];
  for await (const { path } of storage.list(`${root}/${REPLAY_RECORDS}/`)) {
    const body = await storage.get(path);
    if (body) records.push(JSON.parse(Buffer.from(body).toString('utf8')) as SwapRecord);
  }
  return records.reverse();
}

/** State of a swap. In force: all its files are in the table. */
export async function stateOfSwap(table: Table, record: SwapRecord): Promise<'inForce' | 'undone' | 'merged'> {
  const { files } = await table.snapshot();
  const removed = record.removed.every(({ path }) => files.has(path));
  const added = record.added.every((path) => files.has(path));
  if (added && !record.removed.some(({ path }) => files.has(path))) return 'inForce';
  return removed && !record.added.some((path) => files.has(path)) ? 'undone' : 'merged';
}

/**
 * Restore the files that a replay has replaced, in one commit.
 * @throws CannotSwapError if vacuum has deleted old files, or a person was erased since
 * @throws TxnConflictError if either happens at the same time, or the new files were merged. Nothing has changed
 */
export async function undoSwap(storage: Storage, table: Table, record: SwapRecord): Promise<{ version: number }> {
  const { root } = table.spec;
  const { files, txns } = await table.snapshot();
  if (record.erasures < (txns.get(ERASURES_ID) ?? 0)) throw new CannotSwapError(ERASED_SINCE);
  const remove = record.added.flatMap((path) => files.get(path) ?? []);
  const add = record.removed.map(withStatistics);
  const missing = await missingFiles(storage, root, add);
  if (missing)
    throw new CannotSwapError(`${root}/${missing} is gone: vacuum has deleted the files from before the replay`);
  return table.replace({
    remove,
    add,
    dataChange: true,
    unusedSinceMs: Date.parse(record.at),
    erasures: record.erasures,
    info: { operation: 'REPLAY UNDO', operationParameters: { id: record.id, from: record.from, to: record.to } },
  });
}

async function missingFiles(storage: Storage, root: string, files: readonly NewFile[]): Promise<string | undefined> {
  const folders = new Set(files.map(({ path }) => path.slice(0, path.lastIndexOf('/') + 1)));
  const there = new Set<string>();
  for (const folder of folders) for await (const { path } of storage.list(`${root}/${folder}`)) there.add(path);
  return files.find(({ path }) => !there.has(`${root}/${path}`))?.path;
}

function withStatistics(file: AddFile): NewFile {
  const added = asNewFile(file);
  if (!added) throw new CannotSwapError(`${file.path} has no statistics in the log: another tool has written it`);
  return added;
}

/** Name that sorts by time. */
function recordPath(root: string, { at, id }: SwapRecord): string {
  return `${root}/${REPLAY_RECORDS}/${at.replaceAll(':', '-')}-${id}.json`;
}

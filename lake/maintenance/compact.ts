import { randomUUID } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from '../../runtime/log.ts';
import type { AddFile } from '../delta/actions.ts';
import { COLUMNS_TAG, columnsFingerprint } from '../delta/schema.ts';
import { fileStats, type CopyStats, type FileStats, type StatValue } from '../delta/stats.ts';
import type { NewFile } from '../delta/commits.ts';
import { storedThroughMs } from '../delta/storedThrough.ts';
import type { Table } from '../delta/table.ts';
import { TxnConflictError } from '../delta/txnConflict.ts';
import type { SqlEngine, SqlSession } from '../duckdb/sqlEngine.ts';
import { fetchLocal } from '../storage/fetchLocal.ts';
import type { Storage } from '../storage/storage.ts';
import { newFilePath, parseFileName, type FileSource, type TableName } from '../layout/tables.ts';
import type { ReachCompaction } from './failpoint.ts';
import type { CompactionJob } from './plan.ts';
import { countUnsorted, fingerprint, SORT_ORDER, sortFiles, UnknownColumnsError, type SortInput } from './sort.ts';
import { utcDay } from '../../runtime/units.ts';

export interface CompactOptions {
  storage: Storage;
  table: Table;
  name: TableName;
  engine: SqlEngine;
  /** Scratch folder, in which each job has a folder of its own. */
  workDir: string;
  rowsAtOnce: number;
  log: Logger;
  reach: ReachCompaction;
  signal: AbortSignal;
}

/** Result of a job. */
export interface Compacted {
  outcome:
    | 'committed'
    /** Another commit removed one of the files first; nothing has changed. */
    | 'abandoned'
    /** The files have columns that this version does not know; nothing has changed. */
    | 'skipped'
    /** The new file differs from its sources, or is unreadable. The log has the reason; nothing has changed. */
    | 'failed'
    /** The signal was given; nothing has changed. */
    | 'stopped';
  segment: string;
  date: string;
  files: number;
  rows: number;
  bytesBefore: number;
  bytesAfter: number;
  elapsedMs: number;
}

const DOWNLOADS_AT_ONCE = 8;
/** Stands for the stream in file names with rows of several. */
const SEVERAL_STREAMS = 'several';

/**
 * Rewrites a job's files as one, and replaces them in one commit.
 *
 * The process may die at any step. Before the commit the table is unchanged, and vacuum finds the upload. After the
 * commit only the scratch folder is left.
 * @throws LakeError storage_unavailable; Error if the new file does not hold exactly the rows of the old ones
 */
export async function compact(job: CompactionJob, options: CompactOptions): Promise<Compacted> {
  const { engine, workDir, reach, signal } = options;
  const startedAt = performance.now();
  const folder = join(workDir, `compact-${process.pid}-${randomUUID()}`);
  const session = engine.session();
  const result = (outcome: Compacted['outcome'], written?: NewFile): Compacted => ({
    outcome,
    segment: job.segment,
    date: job.date,
    files: job.files.length,
    rows: written?.rows ?? 0,
    bytesBefore: job.bytes,
    bytesAfter: written?.size ?? job.bytes,
    elapsedMs: Math.round(performance.now() - startedAt),
  });
  try {
    await mkdir(folder, { recursive: true });
    const inputs = await localInputs(job, options, folder);
    if (inputs === 'gone') return result('abandoned');
    if (signal.aborted) return result('stopped');
    reach('inputs-ready');
    const target = join(folder, 'compacted.parquet');
    const file = await write(session, { job, inputs, target }, options);
    reach('written');
    if (signal.aborted) return result('stopped');
    const committed = await publish(file, { job, target }, options);
    return result(committed ? 'committed' : 'abandoned', file);
  } catch (error) {
    if (!(error instanceof UnknownColumnsError)) throw error;
    options.log.warn(
      { segment: job.segment, date: job.date, err: error },
      'files of a newer version are not compacted',
    );
    return result('skipped');
  } finally {
    await session.close();
    await rm(folder, { recursive: true, force: true });
    reach('cleaned-up');
  }
}

/** Sorts the rows, and compares the new file with its sources. */
async function write(
  session: SqlSession,
  { job, inputs, target }: { job: CompactionJob; inputs: SortInput[]; target: string },
  { table, name, rowsAtOnce }: CompactOptions,
): Promise<NewFile> {
  const { columns, root } = table.spec;
  const order = SORT_ORDER[name];
  const tag = columnsFingerprint(columns);
  const uniform = job.files.every(({ tags }) => tags?.[COLUMNS_TAG] === tag);
  const before = await fingerprint(
    session,
    inputs.map(({ localFile }) => localFile),
  );
  const logged = job.files.reduce((sum, { stats }) => sum + (statsOf(stats)?.numRecords ?? NaN), 0);
  if (!Number.isNaN(logged)) expectSame('rows of the files and of the log', before.rows, logged);
  const copied = await sortFiles(session, { inputs, columns, order, uniform, target, rowsAtOnce });
  const after = await fingerprint(session, [target]);
  expectSame('rows', after.rows, before.rows);
  expectSame('identities of the rows', after.hash, before.hash);
  expectSame('rows out of order', await countUnsorted(session, target, order), 0);
  const stats = fileStats(copied, columns);
  const tenantId = root.slice(root.indexOf('/tenant=') + '/tenant='.length);
  checkBounds(copied, stats, { tenantId, segment: job.segment, date: job.date, time: order.time });
  return {
    path: newFilePath(job, sourceOf(job.files)),
    size: copied.file_size_bytes,
    rows: copied.count,
    partitionValues: { segment: job.segment, date: job.date },
    stats,
    storedThroughMs: job.files.reduce((latest, one) => Math.max(latest, storedThroughMs(one)), 0),
  };
}

/** Uploads and commits; on a conflict, deletes the upload and returns false. */
async function publish(
  file: NewFile,
  { job, target }: { job: CompactionJob; target: string },
  { storage, table, log, reach }: CompactOptions,
): Promise<boolean> {
  const { root } = table.spec;
  const unusedSinceMs = await storage.now();
  const info = {
    operation: 'OPTIMIZE',
    operationParameters: { segment: job.segment, date: job.date },
    operationMetrics: { numRemovedFiles: String(job.files.length), numAddedFiles: '1' },
  };
  reach('before-upload');
  await storage.upload(`${root}/${file.path}`, target);
  reach('after-upload');
  try {
    await table.replace({ remove: job.files, add: [file], dataChange: false, unusedSinceMs, info });
  } catch (error) {
    const { files, tombstones } = await table.snapshot();
    if (files.has(file.path)) return true;
    // Without a conflict the entry may still appear. The file stays, and vacuum finds it if it is unused.
    if (!(error instanceof TxnConflictError)) throw error;
    log.info({ root, reason: error.message }, 'compaction abandoned');
    if (!tombstones.has(file.path)) await storage.delete([`${root}/${file.path}`]);
    return false;
  }
  reach('after-commit');
  return true;
}

/** Local copies of the files; `gone` if the store no longer has one. */
async function localInputs(
  { files }: CompactionJob,
  { storage, table, name, signal }: CompactOptions,
  folder: string,
): Promise<SortInput[] | 'gone'> {
  const inputs: SortInput[] = [];
  const queue = [...files.entries()];
  let gone = false;
  const worker = async (): Promise<void> => {
    for (let next = queue.pop(); next && !gone && !signal.aborted; next = queue.pop()) {
      const [index, file] = next;
      const copy = join(folder, `${index}.parquet`);
      const localFile = await fetchLocal(storage, `${table.spec.root}/${file.path}`, copy);
      if (localFile === undefined) gone = true;
      else inputs[index] = { localFile, ...timeBounds(file, SORT_ORDER[name].time) };
    }
  };
  // All downloads end before the folder is removed, even if one fails.
  const ended = await Promise.allSettled(Array.from({ length: DOWNLOADS_AT_ONCE }, worker));
  for (const one of ended) if (one.status === 'rejected') throw one.reason;
  return gone ? 'gone' : inputs;
}

/** Bounds of the time column from the log; infinite if the log has none. */
function timeBounds({ stats }: AddFile, column: string): { minTimeMs: number; maxTimeMs: number } {
  const { minValues, maxValues } = statsOf(stats) ?? {};
  const min = timeOf(minValues?.[column]);
  const max = timeOf(maxValues?.[column]);
  const known = !Number.isNaN(min) && !Number.isNaN(max);
  return known ? { minTimeMs: min, maxTimeMs: max } : { minTimeMs: -Infinity, maxTimeMs: Infinity };
}

function timeOf(value: StatValue | undefined): number {
  return typeof value === 'string' ? Date.parse(value) : NaN;
}

function statsOf(stats: string | undefined): Partial<FileStats> | undefined {
  return stats === undefined ? undefined : (JSON.parse(stats) as Partial<FileStats>);
}

/** The messages of a compacted file's rows, if of one stream. */
function sourceOf(files: readonly AddFile[]): FileSource {
  const sources = files.map(({ path }) => parseFileName(path));
  const stream = sources[0]?.stream;
  const known = sources.flatMap((source) => (source && source.stream === stream ? [source] : []));
  if (stream === undefined || known.length < sources.length) {
    return { stream: SEVERAL_STREAMS, firstSequence: 0, lastSequence: 0 };
  }
  return {
    stream,
    firstSequence: known.reduce((first, source) => Math.min(first, source.firstSequence), Infinity),
    lastSequence: known.reduce((last, source) => Math.max(last, source.lastSequence), 0),
  };
}

/** Checks that no row is of another tenant, segment or date. */
function checkBounds(
  copied: CopyStats,
  { minValues, maxValues }: FileStats,
  expected: { tenantId: string; segment: string; date: string; time: string },
): void {
  for (const [column, id] of [
    ['"tenant_id"', expected.tenantId],
    ['"segment_id"', expected.segment],
  ] as const) {
    const { min, max, null_count: nulls } = copied.column_statistics[column] ?? {};
    expectSame(column, `${min} to ${max}, ${nulls} null`, `${id} to ${id}, 0 null`);
  }
  // The log rounds bounds outwards to milliseconds, so the last microseconds of a day round up to the next day.
  const first = timeOf(minValues[expected.time]);
  const last = timeOf(maxValues[expected.time]) - 1;
  expectSame('first date', dateOf(first), expected.date);
  if (last >= first) expectSame('last date', dateOf(last), expected.date);
}

function dateOf(ms: number): string {
  return Number.isNaN(ms) ? 'none' : utcDay(ms);
}

function expectSame(what: string, actual: unknown, expected: unknown): void {
  if (actual !== expected) throw new Error(`compaction: ${what}: ${String(actual)}, expected ${String(expected)}`);
}

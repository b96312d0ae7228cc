import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { formatRanges, parseRanges } from '../counts/dayCounts.ts';
import type { AddFile } from '../delta/actions.ts';
import type { NewFile } from '../delta/commits.ts';
import { fieldIdsOfFile } from '../delta/fieldIds.ts';
import { copyStats, fileStats } from '../delta/stats.ts';
import type { Table } from '../delta/table.ts';
import { TxnConflictError } from '../delta/txnConflict.ts';
import { parquetCopyOptions } from '../duckdb/parquet.ts';
import type { SqlSession } from '../duckdb/sqlEngine.ts';
import { literal } from '../duckdb/sqlText.ts';
import type { Storage } from '../storage/storage.ts';
import { fileName, newMartFilePath, parseFileName } from '../layout/tables.ts';
import type { ReachErasure } from './failpoint.ts';
import { localFile, rowsOf } from '../files/localRows.ts';
import { isOfPerson, type ListedPerson, type RowKind } from './person.ts';

export interface TableErasureOptions {
  storage: Storage;
  session: SqlSession;
  /** Folder for unfinished files. */
  folder: string;
  person: ListedPerson;
  kind: RowKind;
  /** Whether only to report the rows to erase. */
  dryRun: boolean;
  reach: ReachErasure;
}

/** Result of an erasure for one table. */
export interface TableErasure {
  root: string;
  /** Rewritten files, with their rows before and after. */
  files: number;
  rowsBefore: number;
  rowsAfter: number;
  /** Erased rows; in a dry run, rows to erase. */
  erased: number;
  /** Version whose files were all read and are clean. */
  verified: { version: number; files: number; rows: number; found: number };
}

interface Scanned {
  rows: number;
  matched: number;
}

interface Erased {
  days: Record<string, { erased: number }>;
  erased: Record<string, string>;
}

/** Rewritten files per commit. */
const FILES_A_COMMIT = 50;

/**
 * Rewrites every file that has rows of the person, without those rows.
 *
 * The loop ends at a version of which every file was read and none has such a row. The table already respects the list
 * of erasures, so no commit adds new ones. Files that compaction rewrites meanwhile are read again. A killed call can
 * be repeated at any step.
 * @throws LakeError storage_unavailable, table_corrupt
 */
export async function eraseFromTable(table: Table, options: TableErasureOptions): Promise<TableErasure> {
  const { root } = table.spec;
  const done: TableErasure = {
    root,
    files: 0,
    rowsBefore: 0,
    rowsAfter: 0,
    erased: 0,
    verified: { version: -1, files: 0, rows: 0, found: 0 },
  };
  const clean = new Map<string, number>();
  for (;;) {
    const { files, version } = await table.snapshot();
    const dirty: { file: AddFile; scanned: Scanned }[] = [];
    for (const file of files.values()) {
      if (clean.has(file.path)) continue;
      const scanned = await scan(table, file, options);
      if (!scanned) continue;
      if (scanned.matched === 0) clean.set(file.path, scanned.rows);
      else dirty.push({ file, scanned });
      if (dirty.length >= FILES_A_COMMIT && !options.dryRun) break;
    }
    const found = dirty.reduce((sum, { scanned }) => sum + scanned.matched, 0);
    const seen = [...files.keys()].filter((path) => clean.has(path));
    if (options.dryRun || (dirty.length === 0 && seen.length === files.size)) {
      const rows = seen.reduce((sum, path) => sum + clean.get(path)!, 0);
      if (options.dryRun) Object.assign(done, { erased: found, files: dirty.length });
      return { ...done, verified: { version, files: seen.length, rows, found } };
    }
    if (
      dirty.length > 0 &&
      (await rewrite(
        table,
        dirty.map(({ file }) => file),
        options,
      ))
    ) {
      done.files += dirty.length;
      done.rowsBefore += dirty.reduce((sum, { scanned }) => sum + scanned.rows, 0);
      done.rowsAfter += dirty.reduce((sum, { scanned }) => sum + scanned.rows - scanned.matched, 0);
      done.erased += found;
    }
  }
}

/** Rows of the person in a file; undefined if the file has left the table. */
async function scan(table: Table, { path }: AddFile, options: TableErasureOptions): Promise<Scanned | undefined> {
  try {
    return await withFile(table, path, options, async (session, file, condition) => {
      const [row] = await session.run(
        `SELECT count(*) AS rows, count(*) FILTER (WHERE ${condition}) AS matched FROM ${rowsOf(file)} AS line`,
      );
      return { rows: Number(row!.rows), matched: Number(row!.matched) };
    });
  } catch (error) {
    if ((await table.snapshot()).files.has(path)) throw error;
    return undefined;
  }
}

/** Commits rewritten files; false if another commit replaced one of them first. */
async function rewrite(table: Table, files: readonly AddFile[], options: TableErasureOptions): Promise<boolean> {
  const { storage, kind } = options;
  const counted = kind === 'events' || kind === 'quarantine';
  const { root } = table.spec;
  const unusedSinceMs = await storage.now();
  const total: Erased = { days: {}, erased: {} };
  const add: NewFile[] = [];
  try {
    for (const file of files) {
      const written = await withFile(table, file.path, options, async (session, local, condition) => {
        if (counted) await count(session, { local, condition, into: total });
        return write(session, { table, file, local, condition, folder: options.folder });
      });
      if (!written) continue;
      await storage.upload(`${root}/${written.file.path}`, written.target);
      await rm(written.target);
      add.push(written.file);
      options.reach('after-upload');
    }
    const counts = counted ? total : {};
    const info = { operation: 'DELETE', operationParameters: { reason: 'erasure of a person' }, ...counts };
    await table.replace({ remove: files, add, dataChange: true, unusedSinceMs, info });
    options.reach('after-commit');
    return true;
  } catch (error) {
    if (!(error instanceof TxnConflictError)) throw error;
    await storage.delete(add.map(({ path }) => `${root}/${path}`));
    return false;
  }
}

/** Writes the file without the person's rows, in the same order; undefined if none are left. */
async function write(
  session: SqlSession,
  job: { table: Table; file: AddFile; local: string; condition: string; folder: string },
): Promise<{ file: NewFile; target: string } | undefined> {
  const { table, file, local, condition, folder } = job;
  const target = join(folder, `${randomBytes(6).toString('hex')}.parquet`);
  const ids = await fieldIdsOfFile(session, local);
  const options = `${parquetCopyOptions({ profile: 'zstd', age: 'compacted' })}${ids}, RETURN_STATS`;
  const kept = `SELECT * FROM ${rowsOf(local)} AS line WHERE NOT ${condition}`;
  const [row] = await session.run(`COPY (${kept}) TO ${literal(target)} (${options})`);
  const [left] = await session.run(`SELECT count(*) AS rows FROM (${kept})`);
  const rows = Number(left!.rows);
  if (rows === 0) {
    await rm(target, { force: true });
    return undefined;
  }
  const copied = copyStats(row!);
  if (copied.count !== rows) throw new Error(`erasure: ${copied.count} rows were written of ${rows}`);
  const source = parseFileName(file.path);
  const unique = randomBytes(6).toString('hex');
  const name = source ? fileName(source, unique) : newMartFilePath('rewritten', {});
  const partitionValues = Object.fromEntries(
    Object.entries(file.partitionValues).flatMap(([key, value]) => (value === null ? [] : [[key, value]])),
  );
  const folderOf = dirname(file.path);
  const path = folderOf === '.' ? name : `${folderOf}/${name}`;
  const stats = fileStats(copied, table.spec.columns);
  const tags = file.tags ? { tags: file.tags } : {};
  return { file: { path, size: copied.file_size_bytes, rows, partitionValues, stats, ...tags }, target };
}

/** Counts erased rows by day and by receipt (lake/counts/commits.ts). */
async function count(
  session: SqlSession,
  { local, condition, into }: { local: string; condition: string; into: Erased },
): Promise<void> {
  const rows = await session.run(
    `SELECT strftime(received_at, '%Y-%m-%d') AS day, receipt_id, count(*) AS rows,
       string_agg(coalesce(receipt_index, 0)::VARCHAR, ',') AS indexes
     FROM ${rowsOf(local)} AS line WHERE ${condition} GROUP BY 1, 2 ORDER BY 1, 2`,
  );
  for (const { day, receipt_id: receipt, rows: erased, indexes } of rows) {
    const [date, id] = [String(day), String(receipt)];
    into.days[date] = { erased: (into.days[date]?.erased ?? 0) + Number(erased) };
    into.erased[id] = formatRanges([...parseRanges(into.erased[id] ?? ''), ...parseRanges(String(indexes))]);
  }
}

async function withFile<T>(
  table: Table,
  path: string,
  { storage, session, folder, person, kind }: TableErasureOptions,
  task: (session: SqlSession, file: string, condition: string) => Promise<T>,
): Promise<T> {
  const local = await localFile(storage, `${table.spec.root}/${path}`, folder);
  try {
    const columns = await session.run(`DESCRIBE SELECT * FROM ${rowsOf(local.file)}`);
    return await task(session, local.file, isOfPerson(kind, columns, person));
  } finally {
    await local.release();
  }
}

import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { duckdbType } from '../../schemas/columnType.ts';
import { fieldIdsOption } from '../../lake/delta/fieldIds.ts';
import type { Snapshot } from '../../lake/delta/snapshot.ts';
import { copyStats, fileStats } from '../../lake/delta/stats.ts';
import type { Table } from '../../lake/delta/table.ts';
import { parquetCopyOptions } from '../../lake/duckdb/parquet.ts';
import { identifier, literal } from '../../lake/duckdb/sqlText.ts';
import type { SqlEngine, SqlRow } from '../../lake/duckdb/sqlEngine.ts';
import { withSession } from '../../lake/duckdb/withSession.ts';
import type { LocalFiles } from '../../lake/files/localFiles.ts';
import { newMartFilePath } from '../../lake/layout/tables.ts';
import type { Storage } from '../../lake/storage/storage.ts';

/** Name of a small table's commits in its log; the version is their number. */
const APP_ID = 'usage';

/** Parts of the lake that small tables need. */
export interface SmallTables {
  storage: Storage;
  localFiles: LocalFiles;
  engine: SqlEngine;
}

/** A value of a row; text is literal. */
export type SmallValue = string | number | null;

/**
 * Reads the rows of a version.
 * @param select columns and expressions of the query
 */
export async function readSmallTable(
  { localFiles, engine }: Omit<SmallTables, 'storage'>,
  table: Table,
  before: Snapshot,
  select = '*',
): Promise<SqlRow[]> {
  const lease = await localFiles.lease(table.spec.root, [...before.files.values()]);
  try {
    const files = [...lease.paths.values()];
    if (files.length === 0) return [];
    const list = files.map(literal).join(', ');
    return await withSession(engine, (session) =>
      session.run(`SELECT ${select} FROM read_parquet([${list}], hive_partitioning = false, union_by_name = true)`),
    );
  } finally {
    await lease.release();
  }
}

/**
 * Replaces all rows of a table by one file of others, in the order of its columns.
 * @throws TxnConflictError if another process has replaced them since
 */
export async function overwriteSmallTable(
  { storage, engine }: Omit<SmallTables, 'localFiles'>,
  { table, before, name }: { table: Table; before: Snapshot; name: string },
  rows: readonly (readonly SmallValue[])[],
): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), 'spor-table-'));
  try {
    const { root, columns } = table.spec;
    const localFile = join(dir, `${randomUUID()}.parquet`);
    const path = newMartFilePath(name, {});
    const casts = columns.map(
      (of) => `CAST(${identifier(of.name)} AS ${duckdbType(of.type)}) AS ${identifier(of.name)}`,
    );
    const names = columns.map((of) => identifier(of.name)).join(', ');
    const values = rows.map((row) => `(${row.map(valueText).join(', ')})`).join(', ');
    const select = `SELECT ${casts.join(', ')} FROM (VALUES ${values}) AS rows(${names})`;
    const options = `${parquetCopyOptions()}${fieldIdsOption(columns)}, RETURN_STATS`;
    const [copied] = await withSession(engine, (session) =>
      session.run(`COPY (${select}) TO ${literal(localFile)} (${options})`),
    );
    const stats = copyStats(copied!);
    const unusedSinceMs = await storage.now();
    await storage.upload(`${root}/${path}`, localFile);
    const file = { path, size: stats.file_size_bytes, rows: stats.count, partitionValues: {} };
    await table.replace({
      remove: [...before.files.values()],
      add: [{ ...file, stats: fileStats(stats, columns) }],
      dataChange: true,
      unusedSinceMs,
      txn: { appId: APP_ID, version: (before.txns.get(APP_ID) ?? 0) + 1, expected: before.txns.get(APP_ID) },
      info: { operation: 'WRITE', operationParameters: { mode: 'Overwrite' } },
    });
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

function valueText(value: SmallValue): string {
  if (value === null) return 'NULL';
  return typeof value === 'number' ? String(value) : literal(value);
}

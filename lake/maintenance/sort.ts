import { rm } from 'node:fs/promises';
import { duckdbType } from '../../schemas/columnType.ts';
import { fieldIdsOption } from '../delta/fieldIds.ts';
import type { TableColumn } from '../delta/schema.ts';
import { copyStats, type CopyStats } from '../delta/stats.ts';
import type { SqlSession } from '../duckdb/sqlEngine.ts';
import { identifier, literal } from '../duckdb/sqlText.ts';
import { parquetCopyOptions } from '../duckdb/parquet.ts';
import type { TableName } from '../layout/tables.ts';

/**
 * Order of the rows in a file: by `lead` if present, then by `time`.
 *
 * The UTC date of `time` is the partition.
 */
export interface SortOrder {
  lead: string | undefined;
  time: string;
}

/** The same order as in the processor's files. */
export const SORT_ORDER: Record<TableName, SortOrder> = {
  events: { lead: 'type', time: 'event_time' },
  quarantine: { lead: undefined, time: 'received_at' },
};

/** A local file to read. */
export interface SortInput {
  localFile: string;
  /** Bounds of the time column in milliseconds since 1970, from the log; infinite if unknown. */
  minTimeMs: number;
  maxTimeMs: number;
}

export interface SortJob {
  inputs: readonly SortInput[];
  columns: readonly TableColumn[];
  order: SortOrder;
  /** Whether all inputs have exactly these columns, in this order. */
  uniform: boolean;
  target: string;
  /** Most rows per sort, which bounds the memory. */
  rowsAtOnce: number;
}

/** The inputs have columns that this version does not know; a newer version must compact them. */
export class UnknownColumnsError extends Error {
  override name = 'UnknownColumnsError';
}

/** Identity of the rows of a set of files, in any order. */
export interface Fingerprint {
  rows: number;
  /** Hash over each row's receipt, position and event id. */
  hash: string;
}

/**
 * Writes the rows of sorted files as one sorted Parquet file.
 *
 * A job of more than `rowsAtOnce` rows is cut into slices of the order. Each slice is sorted into a file, and the files
 * are joined unchanged.
 * @throws UnknownColumnsError; Error of DuckDB
 */
export async function sortFiles(session: SqlSession, job: SortJob): Promise<CopyStats> {
  if (!job.uniform) await refuseUnknownColumns(session, job);
  const slices = await planSlices(session, job);
  const options = `${parquetCopyOptions({ profile: 'zstd', age: 'compacted' })}${fieldIdsOption(job.columns)}, RETURN_STATS`;
  const sorted = `${relation(job, job.inputs)} ORDER BY ${orderBy(job.order)}`;
  if (slices.length <= 1) return copy(session, `COPY (${sorted}) TO ${literal(job.target)} (${options})`);
  const parts = slices.map((_, index) => `${job.target}.${index}`);
  try {
    for (const [index, slice] of slices.entries()) {
      const inputs = job.inputs.filter(
        ({ minTimeMs, maxTimeMs }) => maxTimeMs >= slice.fromMs && minTimeMs < slice.toMs,
      );
      const rows = `${relation(job, inputs)} WHERE ${slice.where} ORDER BY ${orderBy(job.order)}`;
      await session.run(`COPY (${rows}) TO ${literal(parts[index]!)} (FORMAT parquet, COMPRESSION lz4_raw)`);
    }
    const joined = `SELECT * FROM read_parquet(${list(parts)}, hive_partitioning = false)`;
    return await copy(session, `COPY (${joined}) TO ${literal(job.target)} (${options})`);
  } finally {
    for (const part of parts) await rm(part, { force: true });
  }
}

/** Fingerprint of files that have the columns receipt_id, receipt_index and event_id. */
export async function fingerprint(session: SqlSession, files: readonly string[]): Promise<Fingerprint> {
  const [row] = await session.run(
    `SELECT count(*) AS rows, coalesce(sum(hash(receipt_id, receipt_index, event_id)), 0)::VARCHAR AS hash
     FROM read_parquet(${list(files)}, hive_partitioning = false)`,
  );
  return { rows: Number(row?.rows), hash: String(row?.hash) };
}

/** Number of rows that stand before a row they belong after; 0 for a sorted file. */
export async function countUnsorted(session: SqlSession, file: string, { lead, time }: SortOrder): Promise<number> {
  const columns = lead === undefined ? [time] : [lead, time];
  const previous = columns.map((column) => `lag(${identifier(column)}) OVER () AS ${identifier(`${column}_before`)}`);
  const row = (suffix: string): string => `row(${columns.map((column) => identifier(column + suffix)).join(', ')})`;
  const [counted] = await session.run(
    `SELECT count(*) FILTER (WHERE ${row('')} < ${row('_before')} AND ${identifier(`${time}_before`)} IS NOT NULL) AS unsorted
     FROM (SELECT ${columns.map(identifier).join(', ')}, ${previous.join(', ')}
           FROM read_parquet(${literal(file)}, hive_partitioning = false))`,
  );
  return Number(counted?.unsorted);
}

interface Slice {
  where: string;
  /** Bounds of its times in milliseconds since 1970; the end is exclusive. */
  fromMs: number;
  toMs: number;
}

/**
 * Ranges of the order with one `lead` and about `rowsAtOnce` rows each.
 *
 * One second of one lead may have more rows.
 */
async function planSlices(session: SqlSession, { inputs, order, rowsAtOnce }: SortJob): Promise<Slice[]> {
  const files = `read_parquet(${list(inputs.map(({ localFile }) => localFile))}, hive_partitioning = false)`;
  const [{ rows } = { rows: 0 }] = await session.run(`SELECT count(*) AS rows FROM ${files}`);
  if (Number(rows) <= rowsAtOnce) return [];
  const lead = order.lead === undefined ? 'NULL::VARCHAR' : identifier(order.lead);
  const seconds = await session.run(
    `WITH seconds AS (
       SELECT ${lead} AS lead, epoch_ms(${identifier(order.time)}) // 1000 AS second, count(*) AS rows FROM ${files} GROUP BY ALL
     ), running AS (
       SELECT *, sum(rows) OVER (ORDER BY lead, second) - rows AS before FROM seconds
     )
     SELECT lead, min(second) AS first, max(second) AS last FROM running GROUP BY lead, before // ${rowsAtOnce} ORDER BY lead, first`,
  );
  return seconds.map(({ lead: value, first, last }) => {
    const fromMs = Number(first) * 1000;
    const toMs = (Number(last) + 1) * 1000;
    const time = identifier(order.time);
    const within = `${time} >= make_timestamptz(${fromMs * 1000}) AND ${time} < make_timestamptz(${toMs * 1000})`;
    if (order.lead === undefined) return { where: within, fromMs, toMs };
    const led = `${identifier(order.lead)} ${typeof value === 'string' ? `= ${literal(value)}` : 'IS NULL'}`;
    return { where: `${led} AND ${within}`, fromMs, toMs };
  });
}

/** The rows of the files with the table's columns; columns that a file lacks are null. */
export function relation(
  { columns, uniform }: Pick<SortJob, 'columns' | 'uniform'>,
  inputs: readonly Pick<SortInput, 'localFile'>[],
): string {
  const files = list(inputs.map(({ localFile }) => localFile));
  const names = columns.map(({ name }) => identifier(name)).join(', ');
  if (uniform) return `SELECT ${names} FROM read_parquet(${files}, hive_partitioning = false)`;
  return `SELECT ${names} FROM (${empty(columns)} UNION ALL BY NAME ${mixed(files)})`;
}

function empty(columns: readonly TableColumn[]): string {
  return `SELECT ${columns.map(({ name, type }) => `NULL::${duckdbType(type)} AS ${identifier(name)}`).join(', ')} WHERE false`;
}

function mixed(files: string): string {
  return `SELECT * FROM read_parquet(${files}, hive_partitioning = false, union_by_name = true)`;
}

/**
 * Rejects inputs with unknown columns.
 * @throws UnknownColumnsError
 */
export async function refuseUnknownColumns(
  session: SqlSession,
  { inputs, columns }: { inputs: readonly Pick<SortInput, 'localFile'>[]; columns: readonly TableColumn[] },
): Promise<void> {
  const files = list(inputs.map(({ localFile }) => localFile));
  const known = await describe(session, empty(columns));
  const found = await describe(session, `${empty(columns)} UNION ALL BY NAME ${mixed(files)}`);
  const unknown = found.filter((column) => !known.includes(column));
  if (unknown.length > 0) throw new UnknownColumnsError(`columns that are not known here: ${unknown.join(', ')}`);
}

async function describe(session: SqlSession, sql: string): Promise<string[]> {
  const rows = await session.run(`DESCRIBE ${sql}`);
  return rows.map(({ column_name: name, column_type: type }) => `${String(name)} ${String(type)}`);
}

async function copy(session: SqlSession, sql: string): Promise<CopyStats> {
  const [row] = await session.run(sql);
  if (!row) throw new Error('no rows were written');
  return copyStats(row);
}

function orderBy({ lead, time }: SortOrder): string {
  return [...(lead === undefined ? [] : [lead]), time].map(identifier).join(', ');
}

function list(files: readonly string[]): string {
  return `[${files.map(literal).join(', ')}]`;
}

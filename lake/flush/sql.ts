import { fieldIdsOption } from '../delta/fieldIds.ts';
import { parquetCopyOptions } from '../duckdb/parquet.ts';
import type { TableName } from '../layout/tables.ts';
import {
  BATCH_COLUMNS,
  eventColumns,
  lineFields,
  QUARANTINE_COLUMNS,
  REJECTED_FIELDS,
  type Column,
} from '../../schemas/columns.ts';
import { duckdbType, type StructField } from '../../schemas/columnType.ts';
import type { Registry } from '../../schemas/registry.ts';
import { identifier, literal, uuidHex } from '../duckdb/sqlText.ts';

/** SQL that makes one of the two tables from a window. */
export interface TableSql {
  name: TableName;
  fields: readonly StructField[];
  columns: readonly Column[];
  maxLineBytes: number;
  /** UTC day of a row's partition, in days since 1970. */
  day: string;
  /** Order of the table's rows. */
  orderBy: string;
  /** Selects whose rows, in turn, are the table's sorted rows. */
  branches: readonly Branch[];
}

interface Branch {
  where: string;
  orderBy: string;
  /** Columns that may have a value; the others are null. */
  columns: ReadonlySet<string>;
}

const EVENT_TIME = 'event_time';
/** Room for the lines of most windows. DuckDB's buffers have twice the size of the longest line. */
const USUAL_LINE_BYTES = 33_792;
const USUAL_REJECTED_BYTES = 524_288;
const LINE_SLACK_BYTES = 64;
/** 2200-01-01; the receiver accepts only times of the recent past. */
const LAST_DAY = 84_006;
const BATCH_LINE_BYTES = 262_144;

/**
 * SQL of the events table, ordered by (type, event_time), for lines up to a length.
 *
 * A branch selects one type with its own columns only, so that the sort moves narrow rows. `extra` columns follow the
 * table's own.
 */
export function eventsSql(registry: Registry, maxLineBytes: number, extra: readonly Column[] = []): TableSql {
  const columns = [...eventColumns(registry), ...extra];
  const eventTime = columns.find(({ name }) => name === EVENT_TIME)!.sql;
  const types = [...new Set(registry.all.map(({ type }) => type))].sort();
  return {
    name: 'events',
    fields: lineFields(registry),
    columns,
    maxLineBytes: Math.max(maxLineBytes + LINE_SLACK_BYTES, USUAL_LINE_BYTES),
    day: dayOf(eventTime),
    orderBy: `"type", ${EVENT_TIME}`,
    branches: types.map((type) => ({
      where: `line."type" = ${literal(type)}`,
      orderBy: EVENT_TIME,
      columns: columnsOf(registry, type, columns),
    })),
  };
}

/** SQL of the quarantine table, for lines up to a length. */
export function quarantineSql(maxLineBytes: number, extra: readonly Column[] = []): TableSql {
  const columns = [...QUARANTINE_COLUMNS, ...extra];
  return {
    name: 'quarantine',
    fields: REJECTED_FIELDS,
    columns,
    maxLineBytes: Math.max(maxLineBytes + LINE_SLACK_BYTES, USUAL_REJECTED_BYTES),
    day: dayOf('batch.received_at'),
    orderBy: 'received_at',
    branches: [{ where: 'true', orderBy: 'received_at', columns: new Set(columns.map(({ name }) => name)) }],
  };
}

/** Columns that a type's events can have, own and common ones. */
function columnsOf(registry: Registry, type: string, columns: readonly Column[]): Set<string> {
  const versions = registry.all.filter((event) => event.type === type);
  const fields = new Set(versions.flatMap(({ schema }) => Object.keys(schema.properties)));
  const possible = columns.filter(({ sql }) => {
    const field = /\bline\."([^"]+)"/.exec(sql)?.[1];
    return field === undefined || fields.has(field);
  });
  return new Set(possible.map(({ name }) => name));
}

/**
 * Days since 1970 in UTC, rounded down before 1970 too.
 *
 * DuckDB's own date of a TIMESTAMPTZ is slower: docs/performance.md, "Processor, many tenants".
 */
function dayOf(timestamp: string): string {
  const micros = `epoch_us(${timestamp})`;
  return `((${micros} - ((${micros} % 86400000000) + 86400000000) % 86400000000) // 86400000000)`;
}

/** A range of batch numbers, the end exclusive. */
export interface BatchRange {
  from: number;
  to: number;
}

/**
 * Makes the table `batch` from a window's batches file.
 *
 * `source_number` names the batch's tenant and segment, `sequence` its message.
 */
export function createBatchTable(file: string): string {
  const own = [
    { name: 'source_number', type: 'integer' },
    { name: 'sequence', type: 'long' },
  ] as const;
  const fields = [...BATCH_COLUMNS, ...own].map((field) =>
    field.name === 'sent_at' ? { ...field, type: 'string' as const } : field,
  );
  // `sentAt` is stored as sent. Text that is no time becomes null, and does not fail the window.
  return `CREATE OR REPLACE TEMP TABLE batch AS
    SELECT b AS batch_number, * EXCLUDE (b) REPLACE (TRY_CAST(sent_at AS TIMESTAMPTZ) AS sent_at)
    FROM ${readJson(file, { fields, maxLineBytes: BATCH_LINE_BYTES })}`;
}

/**
 * Makes the table `line` from a file of lines.
 *
 * Row ids follow the file's order. Columns are named after the lines' keys (schemas/envelope.ts), except `b`.
 */
export function createLineTable(
  file: string,
  table: Pick<TableSql, 'fields' | 'maxLineBytes'>,
  range: BatchRange,
): string {
  return `CREATE OR REPLACE TEMP TABLE line AS
    ${selectJsonLines(file, table)} WHERE b >= ${range.from} AND b < ${range.to}`;
}

/** Computes every column without storing; counts lines and sums their batch numbers. */
export function tryLines(file: string, table: TableSql): string {
  const columns = table.columns.map(({ sql, name }) => `${sql} AS ${identifier(name)}`).join(', ');
  return `SELECT count(*) AS lines, coalesce(sum(line_batch), 0) AS batch_sum, count(COLUMNS(* EXCLUDE (line_batch))) FROM (
    SELECT line.batch_number AS line_batch, ${columns}, ${table.day} AS day
    FROM (${selectJsonLines(file, table)}) line JOIN batch ON line.batch_number = batch.batch_number)`;
}

function selectJsonLines(file: string, table: Pick<TableSql, 'fields' | 'maxLineBytes'>): string {
  return `SELECT b AS batch_number, * EXCLUDE (b) FROM ${readJson(file, table)}`;
}

function readJson(file: string, { fields, maxLineBytes }: Pick<TableSql, 'fields' | 'maxLineBytes'>): string {
  const columns = fields.map(({ name, type }) => `${literal(name)}: ${literal(duckdbType(type))}`).join(', ');
  return `read_json(${literal(file)}, format = 'newline_delimited', compression = 'uncompressed', columns = {${columns}}, maximum_object_size = ${maxLineBytes})`;
}

/** Writes the event ids of `line` in order, one a line. */
export function copyIds(target: string): string {
  return `COPY (SELECT "eventId" FROM line) TO ${literal(target)} (FORMAT csv, HEADER false)`;
}

/**
 * Selects the event ids of `line` as one text.
 *
 * Each id has 32 hexadecimal digits, in the order of lines. The row also says whether all ids are UUIDs. An event
 * without an id, which the receiver rejects, equals no other.
 */
export function selectIds(): string {
  return `SELECT string_agg(coalesce(uuid, md5(lower(id)), md5(concat(batch_number, ':', row))), '' ORDER BY row) AS hex,
      bool_and(uuid IS NOT NULL) AS all_uuids
    FROM (
      SELECT line.rowid AS row, line.batch_number, line."eventId" AS id, ${uuidHex('line."eventId"')} AS uuid FROM line)`;
}

/**
 * Selects the unstorable lines, with the quarantine's code.
 *
 * A line is unstorable if its type or schema version is unknown, or if its time names no partition.
 */
export function selectUnstorable(registry: Registry, table: TableSql): string {
  return `SELECT line.rowid AS line,
      CASE WHEN ${isKnown(registry)} THEN 'event_unreadable' ELSE 'schema_unknown' END AS code
    FROM line JOIN batch ON line.batch_number = batch.batch_number
    WHERE (${isKnown(registry)} AND ${isStorableDay(table)}) IS NOT TRUE ORDER BY 1`;
}

function isKnown(registry: Registry): string {
  const known = registry.all.map(({ type, version }) => `(${literal(type)}, ${version})`).join(', ');
  return `(line."type", line.v) IN (${known})`;
}

function isStorableDay({ day }: TableSql): string {
  return `${day} BETWEEN 0 AND ${LAST_DAY}`;
}

/** Rows of one file: one source, one UTC day in days since 1970. */
export interface WindowPartition {
  /** Index into the window's sources. */
  source: number;
  day: number;
  rows: number;
}

/** Whether a day can name a partition. */
export function isStorable({ day }: WindowPartition): boolean {
  return day >= 0 && day <= LAST_DAY;
}

/** Selects the partitions of `line`. The day of rows without one is -1. */
export function selectPartitions(table: TableSql): string {
  return partitionsWith(table, '');
}

/**
 * Selects the partitions, with checks of events before they become rows.
 *
 * The sum of batch numbers reveals a line with a false number. The count of known types reveals unknown ones.
 */
export function inspectPartitions(registry: Registry, table: TableSql): string {
  return partitionsWith(
    table,
    `, sum(line.batch_number) AS batch_sum, count(*) FILTER (${isKnown(registry)}) AS known`,
  );
}

function partitionsWith({ day }: TableSql, sums: string): string {
  return `SELECT batch.source_number, coalesce(${day}, -1) AS day, count(*) AS rows${sums}
    FROM line JOIN batch ON line.batch_number = batch.batch_number GROUP BY ALL ORDER BY ALL`;
}

/**
 * Counts the given lines by tenant and receipt.
 *
 * The result has the times of receipt and the lines' positions. With `day`, the SQL of a day, the result is also by day
 * and source number.
 */
export function selectReceipts(linesFile: string, position = 'line.i', day?: string): string {
  const places = day === undefined ? '' : `batch.source_number, ${day} AS day,`;
  return `SELECT batch.tenant_id AS tenant_id, batch.receipt_id AS receipt_id, epoch_ms(batch.received_at) AS received_ms,
      ${places} count(*) AS rows, coalesce(string_agg(${position}::VARCHAR, ','), '') AS indexes
    FROM line JOIN batch ON line.batch_number = batch.batch_number WHERE line.rowid IN (SELECT line FROM ${readLineNumbers(linesFile)})
    GROUP BY ALL ORDER BY ALL`;
}

/** Selects the lines that meet a condition on `line` and `batch`. */
export function selectLines(condition: string): string {
  return `SELECT line.rowid AS line FROM line JOIN batch ON line.batch_number = batch.batch_number WHERE ${condition} ORDER BY 1`;
}

/** Removes the given lines from `line`. */
export function deleteLines(linesFile: string): string {
  return `DELETE FROM line WHERE rowid IN (SELECT line FROM ${readLineNumbers(linesFile)})`;
}

function readLineNumbers(file: string): string {
  return `read_json(${literal(file)}, format = 'newline_delimited', columns = {'line': 'BIGINT'})`;
}

/** A range of row ids of `line`, the end exclusive. */
export interface LineRange {
  from: number;
  to: number;
}

/** Joins ranges into the fewest with the same rows. Pure. */
export function joinRanges(ranges: readonly LineRange[]): LineRange[] {
  const joined: LineRange[] = [];
  for (const { from, to } of ranges.toSorted((a, b) => a.from - b.from)) {
    const last = joined.at(-1);
    if (last && last.to === from) last.to = to;
    else joined.push({ from, to });
  }
  return joined;
}

/** Rows and target of a COPY, which writes whole sources. */
export interface CopyTarget {
  /** A file, or a folder for several partitions. */
  path: string;
  partitions: readonly WindowPartition[];
  /** Ranges of the sources' rows in `line`; undefined if unknown. */
  places?: readonly LineRange[];
  /** As in WriteOptions. */
  ephemeral: boolean;
}

/**
 * Rows from which a select per event type pays.
 *
 * The measurements are in docs/performance.md, "Processor, many tenants".
 */
const ROWS_FOR_BRANCHES = 35_000;

/**
 * Writes rows of `line` as Parquet, one file for each partition.
 *
 * Rows are sorted unless ephemeral. The result has DuckDB's statistics of each file.
 */
export function copyRows(table: TableSql, target: CopyTarget): string {
  const { path, partitions, ephemeral } = target;
  const rows = partitions.reduce((sum, partition) => sum + partition.rows, 0);
  const selects =
    ephemeral || rows < ROWS_FOR_BRANCHES
      ? [allRows(table, target)]
      : table.branches.map((branch) => branchRows(table, branch, target));
  const form = parquetCopyOptions({ profile: 'zstd', age: ephemeral ? 'ephemeral' : 'fresh' });
  const ids = ephemeral ? '' : fieldIdsOption(table.columns);
  const options = `${form}${ids}, RETURN_STATS${partitions.length > 1 ? ', PARTITION_BY (source_number, day)' : ''}`;
  return `COPY (${selects.map((select) => `(${select})`).join(' UNION ALL ')}) TO ${literal(path)} (${options})`;
}

function allRows(table: TableSql, target: CopyTarget): string {
  const columns = [...table.columns, ...partitionColumns(table, target)];
  return `SELECT ${columns.map(({ name, sql }) => `${sql} AS ${identifier(name)}`).join(', ')}
    FROM ${rowsOf(target)} ${target.ephemeral ? '' : `ORDER BY ${orderOf(table.orderBy, target)}`}`;
}

function branchRows(table: TableSql, { where, orderBy, columns }: Branch, target: CopyTarget): string {
  const partition = partitionColumns(table, target);
  const outer = table.columns.map(({ name, type }) =>
    columns.has(name) ? identifier(name) : `NULL::${duckdbType(type)} AS ${identifier(name)}`,
  );
  outer.push(...partition.map(({ name }) => identifier(name)));
  const inner = [...table.columns.filter(({ name }) => columns.has(name)), ...partition];
  return `SELECT ${outer.join(', ')} FROM (
    SELECT ${inner.map(({ name, sql }) => `${sql} AS ${identifier(name)}`).join(', ')}
    FROM ${rowsOf(target)} AND ${where} ORDER BY ${orderOf(orderBy, target)})`;
}

function partitionColumns({ day }: TableSql, { partitions }: CopyTarget): { name: string; sql: string }[] {
  if (partitions.length === 1) return [];
  return [
    { name: 'source_number', sql: 'batch.source_number' },
    { name: 'day', sql: day },
  ];
}

/** Order of a COPY. Sorted input keeps PARTITION_BY on one partition for long. */
function orderOf(orderBy: string, { partitions }: CopyTarget): string {
  return partitions.length === 1 ? orderBy : `source_number, day, ${orderBy}`;
}

function rowsOf({ partitions, places }: CopyTarget): string {
  const conditions = [`batch.source_number BETWEEN ${partitions[0]!.source} AND ${partitions.at(-1)!.source}`];
  const ranges = places?.map(({ from, to }) => `line.rowid BETWEEN ${from} AND ${to - 1}`);
  if (ranges) conditions.push(`(${ranges.join(' OR ')})`);
  return `line JOIN batch ON line.batch_number = batch.batch_number WHERE ${conditions.join(' AND ')}`;
}

/** Counts the rows of finished files by their footers. */
export function countRows(files: readonly string[]): string {
  return `SELECT file_name, num_rows FROM parquet_file_metadata([${files.map(literal).join(', ')}])`;
}

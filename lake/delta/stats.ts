import type { ColumnType } from '../../schemas/columnType.ts';
import { identifier } from '../duckdb/sqlText.ts';
import type { TableColumn } from './schema.ts';

/** A value in the log's statistics; structs nest. */
export type StatValue = string | number | boolean | { [field: string]: StatValue };

/** Statistics of a data file (Delta protocol, "Per-file Statistics"). Lists have none, structs nest. */
export interface FileStats {
  numRecords: number;
  minValues: Record<string, StatValue>;
  maxValues: Record<string, StatValue>;
  nullCount: Record<string, StatValue>;
}

/** A row of DuckDB's `COPY … RETURN_STATS`: column → statistic → text. */
export interface CopyStats {
  filename: string;
  count: number;
  file_size_bytes: number;
  column_statistics: Record<string, Record<string, string>>;
  partition_keys: Record<string, string>;
}

type JsonMap = { key: string; value: unknown }[];

/**
 * A row of `COPY … RETURN_STATS` from the client's `getRowObjectsJson`.
 * There a map is a list of keys and values, and a large integer is text.
 */
export function copyStats(row: Record<string, unknown>): CopyStats {
  const entries = (map: unknown): [string, unknown][] => ((map ?? []) as JsonMap).map(({ key, value }) => [key, value]);
  const columns = entries(row.column_statistics).map(
    ([name, map]) => [name, Object.fromEntries(entries(map))] as const,
  );
  return {
    filename: String(row.filename),
    count: Number(row.count),
    file_size_bytes: Number(row.file_size_bytes),
    column_statistics: Object.fromEntries(columns) as CopyStats['column_statistics'],
    partition_keys: Object.fromEntries(entries(row.partition_keys)) as CopyStats['partition_keys'],
  };
}

/**
 * Longest text in statistics: a whole UUID.
 * Shorter limits would cut most maxima. The mark of a cut is beyond Latin-1, which doubles the memory of a JavaScript text.
 */
const TEXT_PREFIX = 36;
/** The greatest character, which makes a cut maximum an upper bound. */
const AFTER_ALL = '\u{10FFFF}';

/**
 * Build statistics for the log from those of DuckDB.
 * Bounds are omitted if they would be wrong: for NaN, infinity, inexact decimals, and columns of nulls only.
 */
export function fileStats(copy: CopyStats, columns: readonly TableColumn[]): FileStats {
  const stats: FileStats = { numRecords: copy.count, minValues: {}, maxValues: {}, nullCount: {} };
  for (const { name, type, bounds } of columns) {
    collect(copy, { path: identifier(name), name, type }, stats);
    if (bounds !== false) continue;
    delete stats.minValues[name];
    delete stats.maxValues[name];
  }
  return stats;
}

type Bounds = Omit<FileStats, 'numRecords'>;

function collect(copy: CopyStats, column: { path: string; name: string; type: ColumnType }, into: Bounds): void {
  const { path, name, type } = column;
  if (typeof type === 'object') {
    if ('list' in type) return;
    const nested: Bounds = { minValues: {}, maxValues: {}, nullCount: {} };
    for (const field of type.struct) {
      collect(copy, { path: `${path}.${identifier(field.name)}`, name: field.name, type: field.type }, nested);
    }
    for (const key of ['minValues', 'maxValues', 'nullCount'] as const) {
      if (Object.keys(nested[key]).length > 0) into[key][name] = nested[key];
    }
    return;
  }
  const leaf = copy.column_statistics[path];
  if (!leaf) return;
  if (leaf.null_count !== undefined) into.nullCount[name] = Number(leaf.null_count);
  if (leaf.min === undefined || leaf.max === undefined || leaf.has_nan === 'true') return;
  const min = bound(type, leaf.min, 'min');
  const max = bound(type, leaf.max, 'max');
  if (min === undefined || max === undefined) return;
  into.minValues[name] = min;
  into.maxValues[name] = max;
}

function bound(type: Extract<ColumnType, string>, text: string, side: 'min' | 'max'): StatValue | undefined {
  switch (type) {
    case 'string':
    case 'json':
      return textBound(text, side);
    case 'boolean':
      return text === '1' || text === 'true';
    case 'integer':
    case 'long':
      return Number.isSafeInteger(Number(text)) ? Number(text) : undefined;
    case 'double':
      return Number.isFinite(Number(text)) ? Number(text) : undefined;
    case 'decimal':
    case 'decimal38':
      return decimalBound(text);
    case 'timestamp':
      return timestampBound(text, side);
    case 'date':
      return /^\d{4}-\d\d-\d\d$/.test(text) ? text : undefined;
  }
}

/** Cut a bound by code points; a cut maximum gets the greatest character at its end. */
function textBound(text: string, side: 'min' | 'max'): string {
  if (text.length <= TEXT_PREFIX) return text;
  const points = Array.from(text);
  if (points.length <= TEXT_PREFIX) return text;
  const prefix = points.slice(0, TEXT_PREFIX).join('');
  return side === 'min' ? prefix : prefix + AFTER_ALL;
}

/** A JSON number, if a double holds it exactly. */
function decimalBound(text: string): number | undefined {
  const plain = text.replace(/(\.\d*?)0+$/, '$1').replace(/\.$/, '');
  const number = Number(text);
  return String(number) === plain ? number : undefined;
}

/** Turn DuckDB's time into ISO 8601 with milliseconds: minima rounded down, maxima up. */
function timestampBound(text: string, side: 'min' | 'max'): string | undefined {
  const match = /^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?\+00$/.exec(text);
  if (!match) return undefined;
  const micros = Number((match[3] ?? '').padEnd(6, '0'));
  const seconds = Date.parse(`${match[1]}T${match[2]}Z`);
  const millis = side === 'min' ? Math.floor(micros / 1000) : Math.ceil(micros / 1000);
  return new Date(seconds + millis).toISOString();
}

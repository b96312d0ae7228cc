import type { ColumnType } from '../../schemas/columnType.ts';
import { identifier } from '../duckdb/sqlText.ts';
import type { TableColumn } from './schema.ts';
import { hasBounds } from './skipping.ts';

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
 * Bounds are rounded outwards to text that every reader parses. They are omitted for columns of nulls only, and if they
 * would be wrong: for NaN, infinity, and values beyond every reader's range.
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

/** Write statistics as the log's JSON text. Readers of decimals may not know exponents, so large numbers have none. */
export function formatStats(stats: FileStats): string {
  const { rawJSON } = JSON as unknown as { rawJSON: (text: string) => unknown };
  return JSON.stringify(stats, (_, value: unknown) =>
    typeof value === 'number' && Math.abs(value) >= 1e21 ? rawJSON(withoutExponent(value)) : value,
  );
}

function withoutExponent(value: number): string {
  const [digits = '', exponent = '0'] = String(value).split('e+');
  const [whole = '', fraction = ''] = digits.split('.');
  return whole + fraction.padEnd(Number(exponent), '0');
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
  if (!hasBounds(type) || leaf.min === undefined || leaf.max === undefined || leaf.has_nan === 'true') return;
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
      return undefined;
    case 'integer':
    case 'long':
    case 'decimal':
    case 'decimal38':
      return exactBound(text, { side, limit: LIMITS[type] });
    case 'double':
      return Number.isFinite(Number(text)) ? Number(text) : undefined;
    case 'timestamp':
      return timestampBound(text, side);
    case 'date':
      return /^(?!0000)\d{4}-\d\d-\d\d$/.test(text) ? text : undefined;
  }
}

/** Magnitudes that a rounded bound must stay below, to be a value of its type. */
const LIMITS = { integer: 2 ** 31, long: 9.223372036854775e18, decimal: 1e14, decimal38: 1e34 } as const;
/** Significant digits that any double, and so any reader of JSON, keeps. */
const EXACT_DIGITS = 15;

/** Cut a bound by code points; a cut maximum gets the greatest character at its end. */
function textBound(text: string, side: 'min' | 'max'): string {
  if (text.length <= TEXT_PREFIX) return text;
  const points = Array.from(text);
  if (points.length <= TEXT_PREFIX) return text;
  const prefix = points.slice(0, TEXT_PREFIX).join('');
  return side === 'min' ? prefix : prefix + AFTER_ALL;
}

/** The number, if a double holds it exactly; otherwise 15 digits of it, minima rounded down and maxima up. */
function exactBound(text: string, { side, limit }: { side: 'min' | 'max'; limit: number }): number | undefined {
  const match = /^(-?)(\d+)(?:\.(\d+))?$/.exec(text);
  if (!match) return undefined;
  const [, sign, whole = '', fraction = ''] = match;
  const plain = text.replace(/(\.\d*?)0+$/, '$1').replace(/\.$/, '');
  if (String(Number(text)) === plain) return Number(text);
  const digits = `${whole}${fraction}`.replace(/^0+/, '');
  const unit = 10n ** BigInt(Math.max(0, digits.length - EXACT_DIGITS));
  const isAwayFromZero = (sign === '-') === (side === 'min');
  const kept = (BigInt(digits) / unit + (isAwayFromZero ? 1n : 0n)) * unit;
  const number = Number(`${sign}${kept}e-${fraction.length}`);
  return Math.abs(number) < limit ? number : undefined;
}

/**
 * Turn DuckDB's time into ISO 8601 with milliseconds: minima rounded down, maxima up.
 * The last microseconds of year 9999 stay as they are, because no reader parses the next year.
 */
function timestampBound(text: string, side: 'min' | 'max'): string | undefined {
  const match = /^((?!0000)\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?\+00$/.exec(text);
  if (!match) return undefined;
  const micros = Number((match[3] ?? '').padEnd(6, '0'));
  const millis = side === 'min' ? Math.floor(micros / 1000) : Math.ceil(micros / 1000);
  const rounded = new Date(Date.parse(`${match[1]}T${match[2]}Z`) + millis);
  return rounded.getUTCFullYear() > 9999 ? `${match[1]}T${match[2]}.${match[3]}Z` : rounded.toISOString();
}

import {
  DuckDBArrayValue,
  DuckDBBlobValue,
  DuckDBDateValue,
  DuckDBListValue,
  DuckDBMapValue,
  DuckDBStructValue,
  DuckDBTimestampMillisecondsValue,
  DuckDBTimestampNanosecondsValue,
  DuckDBTimestampSecondsValue,
  DuckDBTimestampTZValue,
  DuckDBTimestampValue,
  DuckDBUnionValue,
  type DuckDBValue,
} from '@duckdb/node-api';

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

const MICROS_PER_MILLI = 1_000n;
const MILLIS_PER_DAY = 86_400_000;
const INFINITE_DAYS = 2_147_483_647;
/** Range of JavaScript's Date, in milliseconds. */
const DATE_RANGE = 8_640_000_000_000_000n;

/**
 * A DuckDB value as JSON, without loss.
 *
 * Decimals are text (`"12.5000"`). Integers are numbers if a double holds them exactly, else text. Times are ISO 8601
 * in UTC (without a zone for a TIMESTAMP that has none), dates `YYYY-MM-DD`, NaN and infinities text, blobs base64, and maps lists of `{key, value}`.
 */
export function jsonValue(value: DuckDBValue): Json {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return value;
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
  if (typeof value === 'bigint') return integer(value);
  if (value instanceof DuckDBTimestampTZValue) return fromMicros(value.micros, String(value));
  const local = localTime(value);
  if (local !== undefined) return local.replace(/Z$/, '');
  if (value instanceof DuckDBDateValue) return isoDate(value);
  if (value instanceof DuckDBListValue || value instanceof DuckDBArrayValue) return value.items.map(jsonValue);
  if (value instanceof DuckDBStructValue) return object(Object.entries(value.entries));
  if (value instanceof DuckDBMapValue)
    return value.entries.map((entry) => ({ key: jsonValue(entry.key), value: jsonValue(entry.value) }));
  if (value instanceof DuckDBUnionValue) return { tag: value.tag, value: jsonValue(value.value) };
  if (value instanceof DuckDBBlobValue) return Buffer.from(value.bytes).toString('base64');
  return String(value);
}

function integer(value: bigint): number | string {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value.toString();
}

/**
 * A time with milliseconds, or microseconds if it has any.
 *
 * A time beyond the range of Date keeps DuckDB's text.
 */
function fromMicros(micros: bigint, fallback: string): string {
  const millis = micros >= 0n ? micros / MICROS_PER_MILLI : -((-micros + MICROS_PER_MILLI - 1n) / MICROS_PER_MILLI);
  if (millis > DATE_RANGE || millis < -DATE_RANGE) return fallback;
  const iso = new Date(Number(millis)).toISOString();
  const rest = micros - millis * MICROS_PER_MILLI;
  return rest === 0n ? iso : iso.replace('Z', `${rest.toString().padStart(3, '0')}Z`);
}

/** A TIMESTAMP as if it were in UTC; undefined for any other value. It has no zone, and must not be shown with one. */
function localTime(value: DuckDBValue): string | undefined {
  if (value instanceof DuckDBTimestampValue) return fromMicros(value.micros, String(value));
  if (value instanceof DuckDBTimestampMillisecondsValue)
    return fromMicros(value.millis * MICROS_PER_MILLI, String(value));
  if (value instanceof DuckDBTimestampSecondsValue) return fromMicros(value.seconds * 1_000_000n, String(value));
  return value instanceof DuckDBTimestampNanosecondsValue ? nanoTime(value) : undefined;
}

function nanoTime(value: DuckDBTimestampNanosecondsValue): string {
  return value.nanos % 1_000n === 0n
    ? fromMicros(value.nanos / 1_000n, String(value))
    : `${String(value).replace(' ', 'T')}Z`;
}

/** A date. DuckDB stores infinities as the largest number of days and its negative. */
function isoDate({ days }: DuckDBDateValue): string {
  if (Math.abs(days) === INFINITE_DAYS) return days > 0 ? 'infinity' : '-infinity';
  const millis = days * MILLIS_PER_DAY;
  if (Math.abs(millis) > Number(DATE_RANGE)) return String(new DuckDBDateValue(days));
  return new Date(millis).toISOString().slice(0, -'T00:00:00.000Z'.length);
}

/** An object. Names come from the query, so `__proto__` is possible. */
function object(entries: [string, DuckDBValue][]): Json {
  return Object.fromEntries(entries.map(([name, value]) => [name, jsonValue(value)]));
}

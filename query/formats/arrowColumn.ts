import {
  DuckDBArrayValue,
  DuckDBDateValue,
  DuckDBDecimalValue,
  DuckDBIntervalValue,
  DuckDBListValue,
  DuckDBMapValue,
  DuckDBStructValue,
  DuckDBTimestampMillisecondsValue,
  DuckDBTimestampNanosecondsValue,
  DuckDBTimestampSecondsValue,
  DuckDBTimestampTZValue,
  DuckDBTimestampValue,
  DuckDBTimeValue,
  DuckDBBlobValue,
  DuckDBTypeId,
  type DuckDBType,
  type DuckDBValue,
} from '@duckdb/node-api';
import {
  binary,
  bool,
  dateDay,
  decimal128,
  decimal256,
  field,
  float32,
  float64,
  int16,
  int32,
  int64,
  int8,
  interval,
  IntervalUnit,
  list,
  map,
  nullType,
  struct,
  timeMicrosecond,
  timestamp,
  TimeUnit,
  uint16,
  uint32,
  uint64,
  uint8,
  utf8,
  type DataType,
} from '@uwdata/flechette';
import { LakeError } from '../../lake/errors.ts';
import { jsonValue } from './values.ts';

/** A DuckDB type as an Arrow type. */
export interface ArrowColumn {
  /** Type that readers see. */
  type: DataType;
  /**
   * Type of the same layout, for building values.
   *
   * flechette takes times and dates as numbers of milliseconds, and so would round microseconds. Integers keep them.
   */
  stored: DataType;
  /**
   * A value other than null in flechette's form.
   * @throws LakeError sql_failed if Arrow cannot hold the value
   */
  convert(value: DuckDBValue): unknown;
}

const DECIMAL_DIGITS = 38;
const NANOS_PER_MICRO = 1_000n;

/**
 * The Arrow type of a DuckDB type, as DuckDB exports it.
 *
 * Enums, UUIDs and types that Arrow lacks are text, as in JSON (values.ts).
 */
export function arrowColumn(type: DuckDBType): ArrowColumn {
  switch (type.typeId) {
    case DuckDBTypeId.SQLNULL:
      return plain(nullType());
    case DuckDBTypeId.BOOLEAN:
      return plain(bool());
    case DuckDBTypeId.TINYINT:
      return plain(int8());
    case DuckDBTypeId.SMALLINT:
      return plain(int16());
    case DuckDBTypeId.INTEGER:
      return plain(int32());
    case DuckDBTypeId.BIGINT:
      return plain(int64());
    case DuckDBTypeId.UTINYINT:
      return plain(uint8());
    case DuckDBTypeId.USMALLINT:
      return plain(uint16());
    case DuckDBTypeId.UINTEGER:
      return plain(uint32());
    case DuckDBTypeId.UBIGINT:
      return plain(uint64());
    case DuckDBTypeId.HUGEINT:
      return { ...plain(decimal128(DECIMAL_DIGITS, 0)), convert: withinDecimal };
    case DuckDBTypeId.UHUGEINT:
      return plain(decimal256(DECIMAL_DIGITS + 1, 0));
    case DuckDBTypeId.FLOAT:
      return plain(float32());
    case DuckDBTypeId.DOUBLE:
      return plain(float64());
    case DuckDBTypeId.DECIMAL:
      return of(DuckDBDecimalValue, decimal128(type.width, type.scale), ({ value }) => value);
    case DuckDBTypeId.VARCHAR:
      return plain(utf8());
    case DuckDBTypeId.BLOB:
      return of(DuckDBBlobValue, binary(), ({ bytes }) => bytes);
    case DuckDBTypeId.DATE:
      return of(DuckDBDateValue, dateDay(), ({ days }) => days, int32());
    case DuckDBTypeId.TIME:
      return of(DuckDBTimeValue, timeMicrosecond(), ({ micros }) => micros);
    case DuckDBTypeId.INTERVAL:
      return of(DuckDBIntervalValue, interval(IntervalUnit.MONTH_DAY_NANO), ({ months, days, micros }) => [
        months,
        days,
        micros * NANOS_PER_MICRO,
      ]);
    case DuckDBTypeId.TIMESTAMP_TZ:
      return of(DuckDBTimestampTZValue, timestamp(TimeUnit.MICROSECOND, 'UTC'), ({ micros }) => micros, int64());
    case DuckDBTypeId.TIMESTAMP:
      return of(DuckDBTimestampValue, timestamp(TimeUnit.MICROSECOND), ({ micros }) => micros, int64());
    case DuckDBTypeId.TIMESTAMP_S:
      return of(DuckDBTimestampSecondsValue, timestamp(TimeUnit.SECOND), ({ seconds }) => seconds, int64());
    case DuckDBTypeId.TIMESTAMP_MS:
      return of(DuckDBTimestampMillisecondsValue, timestamp(TimeUnit.MILLISECOND), ({ millis }) => millis, int64());
    case DuckDBTypeId.TIMESTAMP_NS:
      return of(DuckDBTimestampNanosecondsValue, timestamp(TimeUnit.NANOSECOND), ({ nanos }) => nanos, int64());
    case DuckDBTypeId.LIST:
      return listColumn(DuckDBListValue, type.valueType);
    case DuckDBTypeId.ARRAY:
      return listColumn(DuckDBArrayValue, type.valueType);
    case DuckDBTypeId.STRUCT:
      return structColumn(type.entryNames, type.entryTypes);
    case DuckDBTypeId.MAP:
      return mapColumn(type.keyType, type.valueType);
    default:
      return { ...plain(utf8()), convert: asText };
  }
}

function plain(type: DataType): ArrowColumn {
  return { type, stored: type, convert: (value) => value };
}

/** A column with values of one DuckDB class. */
function of<Value extends DuckDBValue>(
  kind: abstract new (...parameters: never[]) => Value,
  type: DataType,
  convert: (value: Value) => unknown,
  stored = type,
): ArrowColumn {
  return {
    type,
    stored,
    convert: (value) => {
      if (!(value instanceof kind)) throw new TypeError(`a value of ${kind.name} was expected`);
      return convert(value);
    },
  };
}

function listColumn(kind: typeof DuckDBListValue | typeof DuckDBArrayValue, itemType: DuckDBType): ArrowColumn {
  const item = arrowColumn(itemType);
  const convert = ({ items }: DuckDBListValue | DuckDBArrayValue): unknown => items.map((each) => orNull(item, each));
  return of(kind, list(field('item', item.type)), convert, list(field('item', item.stored)));
}

function structColumn(names: readonly string[], types: readonly DuckDBType[]): ArrowColumn {
  const entries = types.map((type, index) => ({ name: names[index]!, column: arrowColumn(type) }));
  return of(
    DuckDBStructValue,
    struct(entries.map(({ name, column }) => field(name, column.type))),
    (value) => Object.fromEntries(entries.map(({ name, column }) => [name, orNull(column, value.entries[name])])),
    struct(entries.map(({ name, column }) => field(name, column.stored))),
  );
}

function mapColumn(keyType: DuckDBType, valueType: DuckDBType): ArrowColumn {
  const key = arrowColumn(keyType);
  const item = arrowColumn(valueType);
  return of(
    DuckDBMapValue,
    map(field('key', key.type, false), field('value', item.type)),
    ({ entries }) => entries.map((entry) => [orNull(key, entry.key), orNull(item, entry.value)]),
    map(field('key', key.stored, false), field('value', item.stored)),
  );
}

/** A value or null in flechette's form. */
export function orNull(column: ArrowColumn, value: DuckDBValue | undefined): unknown {
  return value === null || value === undefined ? null : column.convert(value);
}

function withinDecimal(value: DuckDBValue): DuckDBValue {
  if (String(value).replace('-', '').length > DECIMAL_DIGITS) {
    const message = `Arrow's decimals have ${DECIMAL_DIGITS} digits, too few for ${String(value)}. Cast the column to VARCHAR or DOUBLE.`;
    throw new LakeError('sql_failed', message);
  }
  return value;
}

function asText(value: DuckDBValue): string {
  const json = jsonValue(value);
  return typeof json === 'string' ? json : JSON.stringify(json);
}

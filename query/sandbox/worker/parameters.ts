import { DOUBLE, DuckDBDateValue, DuckDBTimestampTZValue, INTEGER, VARCHAR, type DuckDBType } from '@duckdb/node-api';
import type { SqlParameters } from '../rowStream.ts';

/** Parameters as plain data, because messages between processes keep no classes. */
export interface PlainParameters {
  values: Record<string, PlainValue>;
  types: Record<string, string>;
}

type PlainValue = string | number | boolean | bigint | null | { timestamptz: bigint } | { date: number };

const TYPES: Record<string, DuckDBType> = Object.fromEntries(
  [DOUBLE, INTEGER, VARCHAR].map((type) => [String(type), type]),
);

/** Make parameters plain. @throws Error for an unsupported kind of value */
export function plainParameters({ values, types }: SqlParameters): PlainParameters {
  const plain = Object.entries(values).map(([name, value]): [string, PlainValue] => {
    if (value instanceof DuckDBTimestampTZValue) return [name, { timestamptz: value.micros }];
    if (value instanceof DuckDBDateValue) return [name, { date: value.days }];
    if (value === null || typeof value !== 'object') return [name, value as PlainValue];
    throw new Error(`the parameter ${name} is of a kind that cannot pass between processes`);
  });
  return {
    values: Object.fromEntries(plain),
    types: Object.fromEntries(Object.entries(types).map(([name, type]) => [name, String(type)])),
  };
}

/** The inverse of plainParameters. */
export function sqlParameters({ values, types }: PlainParameters): SqlParameters {
  return {
    values: Object.fromEntries(
      Object.entries(values).map(([name, value]) => {
        if (value === null || typeof value !== 'object') return [name, value];
        return [
          name,
          'date' in value ? new DuckDBDateValue(value.date) : new DuckDBTimestampTZValue(value.timestamptz),
        ];
      }),
    ),
    types: Object.fromEntries(Object.entries(types).map(([name, type]) => [name, TYPES[type]!])),
  };
}

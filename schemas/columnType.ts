/**
 * Types of lake columns: those that both DuckDB and Delta Lake name.
 * `json` is text holding JSON. `decimal` holds one amount or quantity, `decimal38` a sum of them.
 */
export type ColumnType =
  | 'string'
  | 'json'
  | 'boolean'
  | 'integer'
  | 'long'
  | 'double'
  | 'decimal'
  | 'decimal38'
  | 'timestamp'
  | 'date'
  | { list: ColumnType }
  | { struct: StructField[] };

export interface StructField {
  name: string;
  type: ColumnType;
}

const DUCKDB: Record<Extract<ColumnType, string>, string> = {
  string: 'VARCHAR',
  json: 'VARCHAR',
  boolean: 'BOOLEAN',
  integer: 'INTEGER',
  long: 'BIGINT',
  double: 'DOUBLE',
  decimal: 'DECIMAL(18,4)',
  decimal38: 'DECIMAL(38,4)',
  timestamp: 'TIMESTAMPTZ',
  date: 'DATE',
};

/** The type in DuckDB SQL. */
export function duckdbType(type: ColumnType): string {
  if (typeof type === 'string') return DUCKDB[type];
  if ('list' in type) return `${duckdbType(type.list)}[]`;
  return `STRUCT(${type.struct.map((field) => `"${field.name}" ${duckdbType(field.type)}`).join(', ')})`;
}

const DELTA: Record<Extract<ColumnType, string>, string> = {
  string: 'string',
  json: 'string',
  boolean: 'boolean',
  integer: 'integer',
  long: 'long',
  double: 'double',
  decimal: 'decimal(18,4)',
  decimal38: 'decimal(38,4)',
  timestamp: 'timestamp',
  date: 'date',
};

/** The type in Delta's schema (Delta protocol, "Schema Serialization Format"). */
export function deltaType(type: ColumnType): unknown {
  if (typeof type === 'string') return DELTA[type];
  if ('list' in type) return { type: 'array', elementType: deltaType(type.list), containsNull: true };
  return { type: 'struct', fields: type.struct.map((field) => deltaField(field)) };
}

/** A field of Delta's schema. Columns are nullable, so that files without them stay readable. */
export function deltaField(field: StructField & { description?: string }): unknown {
  const metadata = field.description ? { comment: field.description } : {};
  return { name: field.name, type: deltaType(field.type), nullable: true, metadata };
}

/** The inverse of deltaType; undefined for any other type. */
export function columnTypeOf(delta: unknown): ColumnType | undefined {
  if (typeof delta === 'string') {
    return (Object.keys(DELTA) as (keyof typeof DELTA)[]).find((name) => DELTA[name] === delta);
  }
  const { type, elementType, fields } = (delta ?? {}) as { type?: string; elementType?: unknown; fields?: unknown[] };
  if (type === 'array') {
    const list = columnTypeOf(elementType);
    return list && { list };
  }
  if (type !== 'struct') return undefined;
  const struct = (fields ?? []).map((field) => structField(field as { name: string; type: unknown }));
  return struct.every((field) => field !== undefined) ? { struct } : undefined;
}

function structField({ name, type }: { name: string; type: unknown }): StructField | undefined {
  const known = columnTypeOf(type);
  return known && { name, type: known };
}

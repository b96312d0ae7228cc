import { createHash } from 'node:crypto';
import { columnTypeOf, deltaField, type ColumnType, type StructField } from '../../schemas/columnType.ts';
import { LakeError } from '../errors.ts';

/** A column of a table. The log holds its description, and no values if `bounds` is false. */
export type TableColumn = StructField & { description?: string; bounds?: false };

/** Tag of a data file's columns. Files with the same tag are one relation. */
export const COLUMNS_TAG = 'spor.columns';

/** Tag of the time before which a file must not be merged, in milliseconds since 1970. */
export const HELD_UNTIL_TAG = 'spor.heldUntil';

/** Short hash of the names and types of a table's columns, in order. */
export function columnsFingerprint(columns: readonly TableColumn[]): string {
  const shape = columns.map(({ name, type }) => [name, type]);
  return createHash('sha256').update(JSON.stringify(shape)).digest('hex').slice(0, 16);
}

interface DeltaField {
  name: string;
  type: unknown;
  nullable: boolean;
  metadata: Record<string, unknown>;
}

/** Schema of a table in Delta's JSON ("Schema Serialization Format"); partition columns are last. */
export function schemaString(columns: readonly TableColumn[], partitionColumns: readonly string[]): string {
  const typeOf = (name: string): ColumnType => (name === 'date' ? 'date' : 'string');
  const partitions = partitionColumns.map((name) => deltaField({ name, type: typeOf(name) }));
  return JSON.stringify({ type: 'struct', fields: [...columns.map((column) => deltaField(column)), ...partitions] });
}

/**
 * Schema to commit: the table's fields and the new ones of this version.
 * Undefined if the table has them all. Fields of the table alone stay, because a newer version added them.
 * @throws LakeError table_schema_conflict if a column has changed its type
 */
export function mergedSchema(table: string, existing: string, wanted: string): string | undefined {
  const before = fieldsOf(existing, table);
  const merged = mergeFields(before, fieldsOf(wanted, table), table);
  return JSON.stringify(merged) === JSON.stringify(before)
    ? undefined
    : JSON.stringify({ type: 'struct', fields: merged });
}

/** Columns of a table by its schema in the log, without unknown types. */
export function columnsOf(schema: string, table: string): StructField[] {
  return fieldsOf(schema, table).flatMap(({ name, type }) => {
    const known = columnTypeOf(type);
    return known ? [{ name, type: known }] : [];
  });
}

function mergeFields(before: DeltaField[], wanted: DeltaField[], path: string): DeltaField[] {
  const byName = new Map(before.map((field) => [field.name, field]));
  const merged = before.map((field) => {
    const other = wanted.find(({ name }) => name === field.name);
    return other ? { ...field, type: mergeTypes(field.type, other.type, `${path} column ${field.name}`) } : field;
  });
  return [...merged, ...wanted.filter(({ name }) => !byName.has(name))];
}

function mergeTypes(before: unknown, wanted: unknown, path: string): unknown {
  if (typeof before === 'string' || typeof wanted === 'string') {
    if (before === wanted) return before;
    throw conflict(path, before, wanted);
  }
  const a = before as { type: string; fields?: DeltaField[]; elementType?: unknown };
  const b = wanted as { type: string; fields?: DeltaField[]; elementType?: unknown };
  if (a.type !== b.type) throw conflict(path, before, wanted);
  if (a.type === 'struct') return { ...a, fields: mergeFields(a.fields ?? [], b.fields ?? [], path) };
  if (a.type === 'array') return { ...a, elementType: mergeTypes(a.elementType, b.elementType, path) };
  if (JSON.stringify(a) !== JSON.stringify(b)) throw conflict(path, before, wanted);
  return before;
}

function conflict(path: string, before: unknown, wanted: unknown): LakeError {
  return new LakeError(
    'table_schema_conflict',
    `${path} is ${JSON.stringify(before)} in the table and ${JSON.stringify(wanted)} here: give the new field another name`,
  );
}

function fieldsOf(schema: string, table: string): DeltaField[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(schema);
  } catch (error) {
    throw new LakeError('table_corrupt', `${table}: schemaString is not JSON`, { cause: error });
  }
  const fields = (parsed as { fields?: unknown } | null)?.fields;
  if (!Array.isArray(fields)) throw new LakeError('table_corrupt', `${table}: schemaString is not a struct`);
  return fields as DeltaField[];
}

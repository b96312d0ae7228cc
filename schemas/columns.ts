import { duckdbType, type ColumnType, type StructField } from './columnType.ts';
import { eventFields } from './eventFields.ts';
import type { JsonSchema, Registry } from './registry.ts';

/** A column of a lake table. `sql` computes it from an event line and its batch (see envelope.ts). */
export interface Column extends StructField {
  description: string;
  /** False: the log must not hold the column's bounds. They may name a person, and the log outlives the files. */
  bounds?: false;
  sql: string;
}

/** Columns of the window's `batch` table, which has one row for each POST. */
export const BATCH_COLUMNS: readonly StructField[] = [
  { name: 'b', type: 'integer' },
  { name: 'tenant_id', type: 'string' },
  { name: 'segment_id', type: 'string' },
  { name: 'receipt_id', type: 'string' },
  { name: 'received_at', type: 'timestamp' },
  { name: 'sent_at', type: 'timestamp' },
  { name: 'skew_ms', type: 'long' },
  { name: 'key_id', type: 'string' },
  { name: 'key_kind', type: 'string' },
  { name: 'user_agent', type: 'string' },
  { name: 'redriven_from', type: 'string' },
];

const CORRECTIONS_TYPE: ColumnType = {
  list: {
    struct: [
      { name: 'kind', type: 'string' },
      { name: 'path', type: 'string' },
    ],
  },
};

const BATCH_FIELDS = {
  tenant_id: 'The tenant, from the instrumentation key only.',
  segment_id: 'The segment of the tenant, from the instrumentation key only.',
  receipt_id: 'Receipt of the batch, as answered to the sender.',
  received_at: "Time the server received the batch, by the server's clock.",
  sent_at: "Time the sender sent the batch, by the sender's clock.",
  skew_ms: "Correction added to timestamp to give event_time; 0 if the sender's clock was right.",
  key_id: 'First 16 hex digits of the SHA-256 of the instrumentation key.',
  key_kind: 'Kind of the instrumentation key, browser or server; NULL for events of before Spor kept it.',
  user_agent: 'User-Agent of the request.',
  redriven_from: 'Receipt of the rejected batch, for a redriven event; receipt_index is its position in that batch.',
} as const;

function batchColumn(name: keyof typeof BATCH_FIELDS): Column {
  const type = BATCH_COLUMNS.find((column) => column.name === name)!.type;
  const free = name === 'user_agent' ? { bounds: false as const } : {};
  return { name, type, description: BATCH_FIELDS[name], sql: `batch.${name}`, ...free };
}

/**
 * Columns of the `events` table: server-side facts and the fields of all event types.
 * Names are in snake_case. Fields of one name in several types share a column. Nested objects become `parent_child`. Free
 * objects stay JSON text.
 * @throws Error if two event types define one column with different types
 */
export function eventColumns(registry: Registry): Column[] {
  const columns = new Map<string, Column>();
  const add = (column: Column): void => {
    const known = columns.get(column.name);
    if (known && duckdbType(known.type) !== duckdbType(column.type)) {
      throw new Error(
        `column ${column.name} is ${duckdbType(known.type)} in one event schema and ${duckdbType(column.type)} in another: rename the field`,
      );
    }
    if (!known) columns.set(column.name, column);
  };
  add(batchColumn('tenant_id'));
  add(batchColumn('segment_id'));
  add({ name: 'type', type: 'string', description: 'The event type.', sql: 'line."type"' });
  add({
    name: 'event_time',
    type: 'timestamp',
    description:
      "Time of the event: timestamp, corrected if the sender's clock was wrong. Its UTC date is the partition.",
    sql: 'line."timestamp" + to_milliseconds(batch.skew_ms)',
  });
  for (const [field, schema] of eventFields(registry)) fieldColumns(field, schema).forEach(add);
  for (const name of ['received_at', 'sent_at', 'skew_ms', 'receipt_id'] as const) add(batchColumn(name));
  add({
    name: 'receipt_index',
    type: 'integer',
    description: "Position of the event in the sender's batch, from 0.",
    sql: 'line.i',
  });
  add({
    name: 'schema_version',
    type: 'integer',
    description: "Version of the event type's schema that accepted the event.",
    sql: 'line.v',
  });
  for (const name of ['key_id', 'key_kind', 'user_agent', 'redriven_from'] as const) add(batchColumn(name));
  add({
    name: 'corrections',
    type: CORRECTIONS_TYPE,
    description:
      'Changes before validation, each with its kind and JSON pointer; null for an event taken as it was sent.',
    sql: 'line.c',
  });
  return [...columns.values()];
}

/** Columns of the `quarantine` table, which has one row for each rejected event. */
export const QUARANTINE_COLUMNS: readonly Column[] = [
  batchColumn('tenant_id'),
  batchColumn('segment_id'),
  { ...batchColumn('received_at'), description: 'Time of the rejection; its UTC date is the partition.' },
  { name: 'code', type: 'string', description: 'Stable error code.', sql: 'line.code' },
  {
    name: 'path',
    type: 'string',
    description: 'JSON pointer to the fault within the event.',
    sql: 'line.path',
    bounds: false,
  },
  {
    name: 'message',
    type: 'string',
    description: 'The fault and how to fix it.',
    sql: 'line.message',
    bounds: false,
  },
  {
    name: 'event_id',
    type: 'string',
    description: "The event's id, if it had one.",
    sql: 'line."eventId"',
    bounds: false,
  },
  {
    name: 'type',
    type: 'string',
    description: "The event's type, if it had one.",
    sql: 'line."type"',
    bounds: false,
  },
  {
    name: 'raw',
    type: 'string',
    description: 'The event as it was sent, or the whole body if it was not JSON.',
    sql: 'line.raw',
    bounds: false,
  },
  batchColumn('receipt_id'),
  {
    name: 'receipt_index',
    type: 'integer',
    description: "Position in the sender's batch, from 0; null for a whole body.",
    sql: 'line."index"',
  },
  {
    name: 'schema_version',
    type: 'integer',
    description: 'Version of the schema that rejected it.',
    sql: 'line."schemaVersion"',
  },
  batchColumn('sent_at'),
  batchColumn('key_id'),
  batchColumn('key_kind'),
  batchColumn('user_agent'),
];

/** Fields of an event line for `read_json`, with b, i, v and c of envelope.ts. */
export function lineFields(registry: Registry): StructField[] {
  const fields = new Map<string, ColumnType>([
    ['b', 'integer'],
    ['i', 'integer'],
    ['v', 'integer'],
    ['c', CORRECTIONS_TYPE],
  ]);
  for (const event of registry.all) {
    for (const [field, schema] of Object.entries(event.schema.properties)) {
      const type = jsonType(schema);
      const known = fields.get(field);
      fields.set(field, known ? mergeStruct(known, type) : type);
    }
  }
  return [...fields].map(([name, type]) => ({ name, type }));
}

/** Fields of a rejected event for `read_json`, as the processor writes them. */
export const REJECTED_FIELDS: readonly StructField[] = [
  { name: 'b', type: 'integer' },
  { name: 'index', type: 'integer' },
  { name: 'eventId', type: 'string' },
  { name: 'type', type: 'string' },
  { name: 'code', type: 'string' },
  { name: 'path', type: 'string' },
  { name: 'message', type: 'string' },
  { name: 'schemaVersion', type: 'integer' },
  { name: 'raw', type: 'string' },
];

function fieldColumns(field: string, schema: JsonSchema): Column[] {
  const description = schema.description ?? '';
  if (schema.type === 'object' && schema.properties) {
    return Object.entries(schema.properties).map(([child, childSchema]) => ({
      name: `${snakeCase(field)}_${snakeCase(child)}`,
      type: columnType(childSchema),
      description: childSchema.description ?? '',
      sql: `line."${field}"."${child}"`,
      ...boundsOf(columnType(childSchema)),
    }));
  }
  const type = columnType(schema);
  const line = `line."${field}"`;
  const bounds = field === 'eventId' ? {} : boundsOf(type);
  return [{ name: snakeCase(field), type, description, sql: renamed(line, schema), ...bounds }];
}

/** No bounds for text of senders, which may name a person. Lists never have bounds. */
function boundsOf(type: ColumnType): { bounds?: false } {
  return type === 'string' || type === 'json' ? { bounds: false } : {};
}

/** SQL that renames the fields of list elements to snake_case. */
function renamed(line: string, schema: JsonSchema): string {
  const fields = Object.keys(schema.items?.properties ?? {});
  if (fields.every((field) => snakeCase(field) === field)) return line;
  const struct = fields.map((field) => `"${snakeCase(field)}": x."${field}"`).join(', ');
  return `list_transform(${line}, lambda x: {${struct}})`;
}

function columnType(schema: JsonSchema): ColumnType {
  return convert(schema, snakeCase);
}

function jsonType(schema: JsonSchema): ColumnType {
  return convert(schema, (name) => name);
}

function convert(schema: JsonSchema, rename: (name: string) => string): ColumnType {
  switch (schema.type) {
    case 'string':
      return schema.format === 'date-time' ? 'timestamp' : 'string';
    case 'boolean':
      return 'boolean';
    case 'integer':
      return (schema.maximum ?? Infinity) <= 2147483647 ? 'integer' : 'long';
    case 'number':
      return schema.multipleOf === 0.0001 ? 'decimal' : 'double';
    case 'array':
      return { list: convert(schema.items ?? { type: 'string' }, rename) };
    case 'object': {
      if (!schema.properties) return 'json';
      const fields = Object.entries(schema.properties);
      return { struct: fields.map(([name, child]) => ({ name: rename(name), type: convert(child, rename) })) };
    }
    default:
      return 'string';
  }
}

/** Merge two versions of a nested object: the union of their fields, in order. */
function mergeStruct(a: ColumnType, b: ColumnType): ColumnType {
  if (typeof a === 'string' || typeof b === 'string') return a;
  if ('list' in a && 'list' in b) return { list: mergeStruct(a.list, b.list) };
  if ('struct' in a && 'struct' in b) {
    const names = new Set(a.struct.map((field) => field.name));
    return { struct: [...a.struct, ...b.struct.filter((field) => !names.has(field.name))] };
  }
  return a;
}

/** camelCase to snake_case: `resultIds` → `result_ids`. */
export function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

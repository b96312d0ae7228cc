import { snakeCase } from './columns.ts';
import { eventFields } from './eventFields.ts';
import type { KeyKind } from './keys.ts';
import type { JsonSchema, Registry } from './registry.ts';
import { dateTimeMs } from './dateTime.ts';

/** Server-side facts of a row's batch. */
export interface RowFacts {
  tenantId: string;
  segmentId: string;
  receivedAt: string;
  sentAt: string | undefined;
  skewMs: number;
  keyId: string;
  keyKind: KeyKind | undefined;
  userAgent: string | undefined;
}

/**
 * The lake row of an accepted event, by column name (schemas/columns.ts).
 * Values are those of JSON: times in UTC, "properties" as JSON text, null for an absent field. A dry run has no receipt.
 */
export function eventRow(line: Record<string, unknown>, facts: RowFacts, registry: Registry): Record<string, unknown> {
  const { type, i, v } = line as { type: string; i: number; v: number };
  const timestamp = line.timestamp as string;
  const row: Record<string, unknown> = {
    tenant_id: facts.tenantId,
    segment_id: facts.segmentId,
    type,
    event_time: shiftedTime(timestamp, facts.skewMs),
  };
  for (const [field, schema] of eventFields(registry)) {
    if (field === 'type') continue;
    for (const [name, value] of columns(field, schema, line[field])) row[name] ??= value;
  }
  return {
    ...row,
    received_at: facts.receivedAt,
    sent_at: facts.sentAt === undefined ? null : shiftedTime(facts.sentAt, 0),
    skew_ms: facts.skewMs,
    receipt_id: null,
    receipt_index: i,
    schema_version: v,
    key_id: facts.keyId,
    key_kind: facts.keyKind ?? null,
    user_agent: facts.userAgent ?? null,
    redriven_from: null,
    corrections: line.c ?? null,
  };
}

function columns(field: string, schema: JsonSchema, value: unknown): [string, unknown][] {
  if (schema.type === 'object' && schema.properties) {
    const parent = (value ?? {}) as Record<string, unknown>;
    return Object.keys(schema.properties).map((child) => [
      `${snakeCase(field)}_${snakeCase(child)}`,
      parent[child] ?? null,
    ]);
  }
  return [[snakeCase(field), cell(schema, value)]];
}

function cell(schema: JsonSchema, value: unknown): unknown {
  if (value === undefined) return null;
  if (schema.format === 'date-time') return shiftedTime(value as string, 0);
  if (schema.type === 'object' && !schema.properties) return JSON.stringify(value);
  if (schema.type === 'array' && schema.items?.properties)
    return (value as object[]).map((item) => snakeKeys(item, schema.items!));
  return value;
}

function snakeKeys(item: object, { properties = {} }: JsonSchema): Record<string, unknown> {
  const fields = Object.entries(properties);
  return Object.fromEntries(
    fields.map(([name, schema]) => [snakeCase(name), cell(schema, (item as Record<string, unknown>)[name])]),
  );
}

/** Move a date-time by milliseconds, into UTC, and keep its microseconds. */
function shiftedTime(text: string, ms: number): string {
  const micros = (/\.(\d{1,6})/.exec(text)?.[1] ?? '').padEnd(6, '0').slice(3);
  return new Date(dateTimeMs(text) + ms).toISOString().replace('Z', micros === '000' ? 'Z' : `${micros}Z`);
}

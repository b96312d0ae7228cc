import type { JsonSchema } from '../registry.ts';

/** Limits of which the wider one holds for two fields of one name; absent: none. */
const WIDER = {
  minLength: Math.min,
  minItems: Math.min,
  minimum: Math.min,
  exclusiveMinimum: Math.min,
  maxLength: Math.max,
  maxItems: Math.max,
  maxProperties: Math.max,
  maximum: Math.max,
} as const;
/** Keywords that must be equal to stay. */
const EQUAL = ['format', 'pattern', 'const', 'multipleOf', 'additionalProperties'] as const;

/**
 * One schema for events of all types: every field of each, and required what each requires.
 * A field of several types allows what any of them does, so that every valid event fits.
 */
export function flatEvent(types: readonly JsonSchema[]): JsonSchema {
  const [first, ...others] = types;
  const flat = others.reduce(eitherOf, first!);
  const anyOf = types.every((type) => type.anyOf) ? first!.anyOf : undefined;
  const descriptions = types.map(({ title, required = [] }) => `${title} needs ${named(required, flat.required)}.`);
  return {
    ...flat,
    description: `Any event: the fields of all types. "type" tells which it is. ${descriptions.join(' ')}`,
    ...(anyOf ? { anyOf } : {}),
  };
}

/** The fields that a type requires beyond those of all. */
function named(required: readonly string[], common: readonly string[] = []): string {
  const own = required.filter((name) => !common.includes(name));
  return own.length > 0 ? own.join(', ') : 'no more';
}

/** A schema that fits whatever fits one of two. */
function eitherOf(a: JsonSchema, b: JsonSchema): JsonSchema {
  const out: Record<string, unknown> = {};
  if (a.description !== undefined || b.description !== undefined) out.description = a.description ?? b.description;
  if (a.type === b.type && a.type !== undefined) out.type = a.type;
  for (const name of EQUAL) if (a[name] === b[name] && a[name] !== undefined) out[name] = a[name];
  for (const [name, wider] of Object.entries(WIDER)) {
    const key = name as keyof typeof WIDER;
    if (a[key] !== undefined && b[key] !== undefined) out[key] = wider(a[key], b[key]);
  }
  const [left, right] = [enumOf(a), enumOf(b)];
  if (left && right) out.enum = [...new Set([...left, ...right])];
  if (a.items && b.items) out.items = eitherOf(a.items, b.items);
  if (a.properties && b.properties) out.properties = fieldsOfEither(a.properties, b.properties);
  const required = (a.required ?? []).filter((name) => b.required?.includes(name));
  if (required.length > 0) out.required = required;
  return out as JsonSchema;
}

function fieldsOfEither(
  a: Readonly<Record<string, JsonSchema>>,
  b: Readonly<Record<string, JsonSchema>>,
): Record<string, JsonSchema> {
  const out: Record<string, JsonSchema> = { ...a };
  for (const [name, field] of Object.entries(b)) {
    const other = a[name];
    out[name] = other && JSON.stringify(other) !== JSON.stringify(field) ? eitherOf(other, field) : field;
  }
  return out;
}

function enumOf(schema: JsonSchema): readonly unknown[] | undefined {
  return (schema as { enum?: readonly unknown[] }).enum;
}

import { isServerOnly, type JsonSchema, type Registry } from './registry.ts';

/**
 * The fields of all event types, in the order of their columns.
 *
 * Lists of objects under one name are merged. Two schemas that differ otherwise are both in the result, for the caller to
 * compare. Types for server keys come last, so that the others describe a shared column.
 */
export function eventFields(registry: Registry): [string, JsonSchema][] {
  const fields = new Map<string, JsonSchema[]>();
  for (const { schema } of registry.all.toSorted((a, b) => Number(isServerOnly(a)) - Number(isServerOnly(b)))) {
    for (const [name, field] of Object.entries(schema.properties)) {
      const known = fields.get(name) ?? [];
      const merged = known[0] && mergedList(known[0], field);
      fields.set(name, merged ? [merged, ...known.slice(1)] : [...known, field]);
    }
  }
  return [...fields].flatMap(([name, schemas]) => schemas.map((schema): [string, JsonSchema] => [name, schema]));
}

/** Two lists of objects as one with the fields of both; undefined for anything else. */
function mergedList(a: JsonSchema, b: JsonSchema): JsonSchema | undefined {
  const [before, after] = [a.items?.properties, b.items?.properties];
  if (!before || !after) return undefined;
  const clash = Object.entries(after).some(([name, field]) => before[name] && kindOf(before[name]) !== kindOf(field));
  return clash ? undefined : { ...a, items: { ...a.items, properties: { ...before, ...after } } };
}

/** What decides a field's type in the lake. */
function kindOf({ type, format, multipleOf, maximum, items }: JsonSchema): string {
  const large = type === 'integer' && (maximum ?? Infinity) > 2147483647;
  return JSON.stringify([type, format, type === 'number' && multipleOf, large, items && kindOf(items)]);
}

import type { JsonSchema, Registry } from '../registry.ts';
import { flatEvent } from './flatEvent.ts';
import { schemaRef, type OpenApi } from './openApi.ts';

/** Name of the schema of any event, and of its list of types. */
export const ANY_EVENT = 'Event';
const EVENT_TYPE = 'EventType';
/** Event types whose nested objects have a shorter name than `<type><field>`. */
const NOUNS: Readonly<Record<string, string>> = { OrderCreated: 'Order' };
const INT32_MAX = 2 ** 31 - 1;

/**
 * Named schemas of events in the words that client generators understand.
 *
 * `Event` has the fields of all types, and each type has a schema of its own beside it. Every nested object has a name.
 * There is no `oneOf`, `anyOf`, `const`, `multipleOf` or numeric `exclusiveMinimum`: generators refuse or misread them, and
 * 499.95 is no multiple of 0.0001 in binary (docs/decisions/041). Such rules stand in the description.
 */
export function eventComponents({ latest }: Registry): Record<string, OpenApi> {
  const names = createNames([...latest.values()].map(({ schema }) => schema));
  // A type with a noun gives the name to an object that several types share.
  const types = [...latest.values()].sort((a, b) => Number(b.type in NOUNS) - Number(a.type in NOUNS));
  for (const { type, schema } of types) names.add(type, typeComponent(type, schema, names));
  const flat = typeComponent(ANY_EVENT, flatEvent(types.map(({ schema }) => schema)), names);
  const { type: _types, ...fields } = flat.properties as Record<string, OpenApi>;
  names.add(EVENT_TYPE, { type: 'string', enum: [...latest.keys()], description: 'The event type.' });
  names.add(ANY_EVENT, { ...flat, properties: { type: schemaRef(EVENT_TYPE), ...fields } });
  return names.all();
}

interface Names {
  add(name: string, schema: OpenApi): void;
  /** A reference to the nested object of a field, which gets a name. */
  nested(type: string, field: string, node: JsonSchema): OpenApi;
  all(): Record<string, OpenApi>;
}

function createNames(events: readonly EventFields[]): Names {
  const schemas: Record<string, OpenApi> = {};
  const byText = new Map<string, string>();
  const isCommon = (field: string, node: JsonSchema): boolean =>
    events.every(({ properties }) => JSON.stringify(properties[field]) === JSON.stringify(node));
  const names: Names = {
    add: (name, schema) => {
      if (name in schemas) throw new Error(`two schemas of the document are named ${name}`);
      schemas[name] = schema;
    },
    nested(type, field, node) {
      const prefix = isCommon(field, node) ? ANY_EVENT : (NOUNS[type] ?? type);
      const name = `${prefix}${pascal(node.items ? singular(field) : field)}`;
      const schema = objectSchema(name, node.items ?? node, names);
      const text = JSON.stringify(schema);
      const known = byText.get(text);
      if (known !== undefined) return schemaRef(known);
      names.add(name, schema);
      byText.set(text, name);
      return schemaRef(name);
    },
    all: () => schemas,
  };
  return names;
}

interface EventFields {
  properties: Record<string, JsonSchema>;
}

function typeComponent(type: string, schema: JsonSchema, names: Names): OpenApi {
  const { description, ...rest } = objectSchema(type, schema, names);
  const alternatives = (schema.anyOf ?? []).map(({ required = [] }) => required.join(' and '));
  const rule = alternatives.length > 0 ? ` Needs ${alternatives.join(' or ')}, or both.` : '';
  return { description: `${description as string}${rule}`, ...rest };
}

function objectSchema(type: string, schema: JsonSchema, names: Names): OpenApi {
  const { description, required = [], properties = {} } = schema;
  const fields = Object.entries(properties).map(
    ([name, node]) => [name, fieldSchema(type, name, node, names)] as const,
  );
  return {
    ...(description === undefined ? {} : { description }),
    type: 'object',
    additionalProperties: schema.properties === undefined,
    ...(required.length > 0 ? { required } : {}),
    ...(fields.length > 0 ? { properties: Object.fromEntries(fields) } : {}),
  };
}

function fieldSchema(type: string, name: string, node: JsonSchema, names: Names): OpenApi {
  if (node.type === 'object') return names.nested(type, name, node);
  if (node.type !== 'array') return valueSchema(node);
  const { items = {}, ...list } = node;
  return { ...list, items: items.type === 'object' ? names.nested(type, name, node) : valueSchema(items) };
}

function valueSchema({ const: only, multipleOf, exclusiveMinimum, ...rest }: JsonSchema): OpenApi {
  if (only !== undefined) {
    const { minLength: _min, maxLength: _max, ...plain } = rest;
    return { ...plain, type: 'string', enum: [only], default: only };
  }
  if (rest.type === 'integer') return { ...rest, format: (rest.maximum ?? Infinity) > INT32_MAX ? 'int64' : 'int32' };
  if (rest.type !== 'number') return { ...rest };
  const steps = multipleOf === undefined ? '' : ` At most ${decimalsOf(multipleOf)} decimals.`;
  const minimum = exclusiveMinimum === undefined ? {} : { minimum: multipleOf ?? exclusiveMinimum };
  return { ...rest, description: `${rest.description ?? ''}${steps}`.trim(), format: 'double', ...minimum };
}

/** `0.0001` has 4. */
function decimalsOf(step: number): number {
  return Math.round(-Math.log10(step));
}

function pascal(name: string): string {
  return `${name.slice(0, 1).toUpperCase()}${name.slice(1)}`;
}

function singular(name: string): string {
  return name.replace(/s$/, '');
}

import { readdirSync, readFileSync } from 'node:fs';

/** The JSON Schema keywords that Spor reads. */
export interface JsonSchema {
  $id?: string;
  $ref?: string;
  $defs?: Record<string, JsonSchema>;
  title?: string;
  description?: string;
  type?: 'object' | 'array' | 'string' | 'number' | 'integer' | 'boolean';
  const?: string;
  format?: string;
  pattern?: string;
  minLength?: number;
  maxLength?: number;
  /** A free text: it may be cut at maxLength, and characters that cannot be stored are replaced. */
  'x-cut'?: boolean;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  multipleOf?: number;
  minItems?: number;
  maxItems?: number;
  maxProperties?: number;
  required?: string[];
  properties?: Record<string, JsonSchema>;
  items?: JsonSchema;
  additionalProperties?: boolean;
  unevaluatedProperties?: boolean;
  allOf?: JsonSchema[];
  anyOf?: JsonSchema[];
  /** True: only server keys may send the event type. */
  'x-server-only'?: boolean;
}

/** One version of an event type. Its schema has no `$ref` and no `allOf`, and rejects unknown fields. */
export interface EventSchema {
  type: string;
  version: number;
  schema: JsonSchema & { properties: Record<string, JsonSchema> };
}

/** Whether only server keys may send events of a type. */
export function isServerOnly({ schema }: EventSchema): boolean {
  return schema['x-server-only'] === true;
}

/** All versions of all event types. `latest` validates new events. */
export interface Registry {
  all: EventSchema[];
  latest: Map<string, EventSchema>;
}

const FILE_NAME = /^([A-Z][A-Za-z0-9]*)\.v([1-9][0-9]*)\.json$/;

/**
 * Read the schema files of a folder.
 * Event types are `<Type>.v<version>.json`; other names, such as `common.v1.json`, are shared definitions.
 */
export function loadSchemaFiles(dir: URL = new URL('./events/', import.meta.url)): Map<string, JsonSchema> {
  const names = readdirSync(dir)
    .filter((name) => name.endsWith('.json'))
    .sort();
  return new Map(names.map((name) => [name, JSON.parse(readFileSync(new URL(name, dir), 'utf8')) as JsonSchema]));
}

/**
 * Build the registry from schema files by name.
 * @throws Error naming the file, if a reference does not resolve or a field is defined twice
 */
export function createRegistry(files: Map<string, JsonSchema> = loadSchemaFiles()): Registry {
  const all: EventSchema[] = [];
  for (const [name, file] of files) {
    const match = FILE_NAME.exec(name);
    if (!match) continue;
    all.push({ type: match[1]!, version: Number(match[2]), schema: standalone(file, name, files) });
  }
  all.sort((a, b) => a.type.localeCompare(b.type) || a.version - b.version);
  return { all, latest: new Map(all.map((event) => [event.type, event])) };
}

/**
 * Merge `allOf` into one flat object schema, and inline every `$ref`.
 * The meaning stays (JSON Schema 2020-12 §10.2, §11.3). The flat form validates faster, and columns come from it directly.
 */
function standalone(file: JsonSchema, name: string, files: Map<string, JsonSchema>): EventSchema['schema'] {
  const own = inline(file, name, files);
  const parts = own.allOf ?? [];
  const properties: Record<string, JsonSchema> = {};
  for (const part of parts) Object.assign(properties, part.properties);
  for (const [field, schema] of Object.entries(own.properties ?? {})) {
    if (field !== 'type' && properties[field]) throw new Error(`${name}: field ${field} is already a common field`);
    properties[field] = { ...properties[field], ...schema };
  }
  const anyOf = parts.flatMap((part) => part.anyOf ?? []);
  return {
    title: own.title ?? name,
    description: own.description ?? '',
    type: 'object',
    additionalProperties: false,
    required: [...parts.flatMap((part) => part.required ?? []), ...(own.required ?? [])],
    ...(anyOf.length > 0 ? { anyOf } : {}),
    ...(own['x-server-only'] ? { 'x-server-only': true } : {}),
    properties,
  };
}

function inline(node: JsonSchema, name: string, files: Map<string, JsonSchema>): JsonSchema {
  const { $ref, $id: _id, $defs: _defs, ...rest } = node;
  const target = $ref === undefined ? {} : inline(resolve($ref, name, files), name, files);
  const out: JsonSchema = { ...target, ...rest };
  if (out.properties) out.properties = mapValues(out.properties, (child) => inline(child, name, files));
  if (out.items) out.items = inline(out.items, name, files);
  if (out.allOf) out.allOf = out.allOf.map((child) => inline(child, name, files));
  return out;
}

function resolve(ref: string, from: string, files: Map<string, JsonSchema>): JsonSchema {
  const [file = '', path = ''] = ref.split('#');
  // Only the shared file itself has a reference without a file name: "#/…".
  let node: unknown = files.get(file) ?? files.get('common.v1.json');
  for (const step of path.split('/').slice(1)) node = (node as Record<string, unknown> | undefined)?.[step];
  if (node === undefined) throw new Error(`${from}: "$ref": "${ref}" leads nowhere`);
  return node as JsonSchema;
}

function mapValues<T, U>(record: Record<string, T>, map: (value: T) => U): Record<string, U> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value)]));
}

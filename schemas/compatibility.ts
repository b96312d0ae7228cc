import { eventColumns } from './columns.ts';
import type { ColumnType, StructField } from './columnType.ts';
import type { EventSchema, JsonSchema, Registry } from './registry.ts';

/** Event schemas of the running environment (KV) or of schemas/generated/history.json. */
export type UsedSchemas = readonly EventSchema[];

/** The schemas of this version are incompatible with those in use. */
export class SchemaConflictError extends Error {
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(
      `the event schemas here do not fit those in use: ${faults.join('; ')}. ` +
        'Add fields as optional ones in a new version, give changed fields a new name, and keep the files of old versions. ' +
        'After a wanted change that breaks senders, "spor schemas accept" records the schemas of this version',
    );
    this.name = 'SchemaConflictError';
    this.faults = faults;
  }
}

/**
 * Schemas to record when a process starts.
 * @throws SchemaConflictError if senders, messages in the stream or columns of the lake need the schemas in use
 */
export function agreedSchemas(used: UsedSchemas | undefined, registry: Registry): UsedSchemas {
  const faults = used === undefined ? [] : incompatibilities(used, registry);
  if (faults.length > 0) throw new SchemaConflictError(faults);
  return registry.all;
}

/** Reasons why schemas cannot follow those in use; empty if they can. */
export function incompatibilities(used: UsedSchemas, now: Registry): string[] {
  return [...versionFaults(used, now), ...fieldFaults(used, now), ...columnFaults(used, now)];
}

/** Removed versions. Messages in the stream still name them. */
function versionFaults(used: UsedSchemas, { all, latest }: Registry): string[] {
  return used.flatMap((before) => {
    if (all.some((one) => one.type === before.type && one.version === before.version)) return [];
    const there = latest.get(before.type);
    return [`${nameOf(before)} is in use and not here${there ? `, where ${nameOf(there)} is the latest` : ''}`];
  });
}

/** Changes that reject events which the latest version in use accepts. */
function fieldFaults(used: UsedSchemas, { latest }: Registry): string[] {
  const lastUsed = new Map([...used].sort((a, b) => a.version - b.version).map((one) => [one.type, one]));
  return [...lastUsed.values()].flatMap((before) => {
    const now = latest.get(before.type);
    if (!now || now.version < before.version) return [];
    const between = `${nameOf(before)} in use, ${nameOf(now)} here`;
    return objectFaults(before.schema, now.schema, '').map((fault) => `${fault} (${between})`);
  });
}

function objectFaults(before: JsonSchema, now: JsonSchema, path: string): string[] {
  const faults: string[] = [];
  for (const [name, field] of Object.entries(before.properties ?? {})) {
    const other = now.properties?.[name];
    if (!other) faults.push(`field ${path}${name} was removed`);
    else faults.push(...nodeFaults(field, other, `${path}${name}`));
  }
  const required = new Set(before.required);
  for (const name of now.required ?? []) if (!required.has(name)) faults.push(`field ${path}${name} is required now`);
  return faults;
}

function nodeFaults(before: JsonSchema, now: JsonSchema, path: string): string[] {
  const kind = ({ type, format, const: only }: JsonSchema): string => format ?? only ?? type ?? 'anything';
  if (kind(before) !== kind(now)) return [`field ${path} is ${kind(before)} in use and ${kind(now)} here`];
  if (before.properties) return objectFaults(before, now, `${path}.`);
  return before.items && now.items ? nodeFaults(before.items, now.items, `${path}[]`) : [];
}

/** Changed columns of the lake. Only new fields of a struct are allowed. */
function columnFaults(used: UsedSchemas, now: Registry): string[] {
  const here = new Map(eventColumns(now).map((column) => [column.name, column]));
  let columns: ReturnType<typeof eventColumns>;
  try {
    columns = eventColumns({ all: [...used], latest: new Map() });
  } catch (error) {
    // A later version may join columns in ways that this one cannot.
    return [(error as Error).message];
  }
  return columns.flatMap((before) => {
    const column = here.get(before.name);
    if (!column) return [`column ${before.name} of the lake would be gone`];
    return widens(before.type, column.type) ? [] : [`column ${before.name} of the lake would change its type`];
  });
}

function widens(before: ColumnType, now: ColumnType): boolean {
  if (typeof before === 'string' || typeof now === 'string') return before === now;
  if ('list' in before && 'list' in now) return widens(before.list, now.list);
  if (!('struct' in before && 'struct' in now)) return false;
  const fields = new Map(now.struct.map(({ name, type }: StructField) => [name, type]));
  return before.struct.every(({ name, type }) => fields.has(name) && widens(type, fields.get(name)!));
}

function nameOf({ type, version }: EventSchema): string {
  return `${type} v${version}`;
}

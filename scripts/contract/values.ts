import fc from 'fast-check';
import { resolved, type ContractDocument, type Schema } from './document.ts';

const LONGEST = 30;
const MOST_ITEMS = 3;
const TEN_THOUSAND = 10_000;
const LARGEST = 1_000_000;
const WEEK_MS = 7 * 86_400_000;

/** Values that a parameter or field often takes, by its name. */
export type Hints = Readonly<Record<string, readonly unknown[]>>;

export interface ValueOptions {
  document: ContractDocument;
  hints: Hints;
  nowMs: number;
}

/** Values that fit a schema of a document. */
export function valueOf(schema: Schema, options: ValueOptions, name = ''): fc.Arbitrary<unknown> {
  const { document, hints } = options;
  const hinted = hints[name];
  if (hinted) return fc.constantFrom(...hinted);
  if (schema.$ref?.endsWith('/Event')) return anyEvent(options);
  const { enum: choices, type, ...rest } = resolved(document, schema);
  if (choices) return fc.constantFrom(...choices);
  switch (Array.isArray(type) ? type[0] : type) {
    case 'object':
      return objectOf(rest, options);
    case 'array':
      return fc.array(valueOf(rest.items ?? {}, options), { minLength: rest.minItems ?? 0, maxLength: MOST_ITEMS });
    case 'string':
      return textOf(rest, options.nowMs);
    case 'integer':
      return fc.integer({ min: rest.minimum ?? -LARGEST, max: Math.min(rest.maximum ?? LARGEST, LARGEST) });
    case 'number':
      return amountOf(rest);
    case 'boolean':
      return fc.boolean();
    default:
      return fc.jsonValue({ maxDepth: 2 });
  }
}

/** Events of one type, by the type's own schema, and some that mix the fields of all. */
function anyEvent(options: ValueOptions): fc.Arbitrary<unknown> {
  const { schemas } = options.document.components;
  const types = (schemas.EventType!.enum as string[]).map((type) => objectOf(schemas[type]!, options));
  return fc.oneof(
    { arbitrary: fc.oneof(...types), weight: 9 },
    { arbitrary: objectOf(schemas.Event!, options), weight: 1 },
  );
}

function objectOf(
  { properties = {}, required = [], additionalProperties }: Schema,
  options: ValueOptions,
): fc.Arbitrary<unknown> {
  if (Object.keys(properties).length === 0) {
    const values =
      typeof additionalProperties === 'object' ? valueOf(additionalProperties, options) : fc.jsonValue({ maxDepth: 2 });
    return fc.dictionary(fc.string({ maxLength: LONGEST }), values, { maxKeys: MOST_ITEMS });
  }
  const fields = Object.entries(properties).map(([name, field]) => [name, valueOf(field, options, name)] as const);
  // sessionId or anonymousId is needed, which a document cannot say.
  const needed = 'sessionId' in properties ? [...required, 'sessionId'] : required;
  return fc.record(Object.fromEntries(fields), { requiredKeys: needed });
}

function textOf({ format, pattern, minLength = 0, maxLength = LONGEST }: Schema, nowMs: number): fc.Arbitrary<string> {
  if (format === 'uuid') return fc.uuid({ version: 7 });
  const ago = fc.integer({ min: 0, max: WEEK_MS });
  if (format === 'date-time') return ago.map((ms) => new Date(nowMs - ms).toISOString());
  if (format === 'date') return ago.map((ms) => new Date(nowMs - ms).toISOString().slice(0, 10));
  if (pattern !== undefined) return fc.stringMatching(new RegExp(pattern));
  return fc.string({ unit: 'grapheme', minLength, maxLength: Math.max(minLength, Math.min(maxLength, LONGEST)) });
}

/** Amounts with at most four decimals. */
function amountOf({ minimum = -LARGEST, maximum = LARGEST }: Schema): fc.Arbitrary<number> {
  const bounds = {
    min: Math.ceil(Math.max(minimum, -LARGEST) * TEN_THOUSAND),
    max: Math.min(maximum, LARGEST) * TEN_THOUSAND,
  };
  return fc.integer(bounds).map((units) => units / TEN_THOUSAND);
}

/** A value like another, with one thing wrong: a field missing, unknown, or of another kind. */
export function spoiled(value: unknown): fc.Arbitrary<unknown> {
  if (Array.isArray(value) && value.length > 0) {
    const list: readonly unknown[] = value;
    return fc.nat(list.length - 1).chain((at) => spoiled(list[at]).map((bad) => list.with(at, bad)));
  }
  if (typeof value !== 'object' || value === null) return fc.jsonValue({ maxDepth: 1 });
  const names = Object.keys(value);
  if (names.length === 0) return fc.jsonValue({ maxDepth: 1 });
  const fields = value as Record<string, unknown>;
  const within = fc.constantFrom(...names);
  return fc.oneof(
    within.map((name) => Object.fromEntries(Object.entries(fields).filter(([other]) => other !== name))),
    within.chain((name) => spoiled(fields[name]).map((bad) => ({ ...fields, [name]: bad }))),
    within.map((name) => ({ ...fields, [name]: null })),
    fc.string({ minLength: 1, maxLength: LONGEST }).map((name) => ({ ...fields, [name]: 1 })),
  );
}

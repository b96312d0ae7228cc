import { randomUUID } from 'node:crypto';
import { LIMITS } from '../../../schemas/limits.ts';
import { isServerOnly, type EventSchema, type JsonSchema, type Registry } from '../../../schemas/registry.ts';

/** An event as a sender writes it, with the code that it must be refused with; undefined: it must be stored. */
export interface ExtremeEvent {
  /** Which extreme it is. */
  label: string;
  event: Record<string, unknown>;
  refusal: string | undefined;
}

/** A value of a field, and the code that it must be refused with where the field is required. */
interface ExtremeValue {
  label: string;
  value: unknown;
  refusal?: string;
  /** The event is refused though the field is optional, as for a number in a free object. */
  always?: boolean;
}

/** Which end of its range each kind of value takes in an event that is extreme as a whole. */
interface Shape {
  fields: 'required' | 'all';
  numbers: 'least' | 'greatest';
  lists: 'fewest' | 'most';
  texts: 'shortest' | 'longest';
}

const HOSTILE_TEXT = '"\'`;--\\,\n\r\t\u0001\u007f\u2028\ufeff %_$1{}[]()*?👟ø\u202e鞋é';

/**
 * Every extreme of every event type, by its schema: each field alone with its least, greatest, shortest, longest, empty and
 * absent value and one beyond, and events in which all are extreme at once. A field added to a schema is among them by itself.
 * A field that several types share in every respect is tried on the first of them. Lists of megabytes are tried on one type of
 * a visit and on one that only servers send, first on types that need them.
 */
export function extremeEvents(registry: Registry): ExtremeEvent[] {
  const tried = new Set<string>();
  const needsList = ({ schema }: EventSchema): boolean =>
    Object.entries(schema.properties).some(([field, own]) => isLarge(own) && schema.required!.includes(field));
  const types = [...registry.latest.values()].toSorted((a, b) => Number(needsList(b)) - Number(needsList(a)));
  return types.flatMap((type) => {
    const whole = allFields(type, tried);
    return [...oneField(type, tried), ...whole];
  });
}

function isLarge({ maxItems = 0 }: JsonSchema): boolean {
  return maxItems > 1000;
}

/** What a field is tried as. */
function trial(type: EventSchema, field: string, schema: JsonSchema): string {
  const isRequired = !isLarge(schema) && type.schema.required?.includes(field);
  return JSON.stringify([field, schema, isRequired, isServerOnly(type)]);
}

/** A valid event of a type with its required fields only; ids are new, so that no two are one order or search. */
export function plainEvent({ type, schema }: EventSchema): Record<string, unknown> {
  const shape: Shape = { fields: 'required', numbers: 'least', lists: 'fewest', texts: 'shortest' };
  return { ...wholeObject(schema, shape), ...identity(type, schema) };
}

function oneField(type: EventSchema, tried: Set<string>): ExtremeEvent[] {
  const out: ExtremeEvent[] = [];
  for (const [field, schema] of Object.entries(type.schema.properties)) {
    if (field === 'type' || schema.format !== undefined) continue;
    const shared = trial(type, field, schema);
    if (tried.has(shared)) continue;
    tried.add(shared);
    // Within the lists of these types nothing is left out, so that each value has a verdict of its own.
    if (isServerOnly(type) && schema.type === 'array') continue;
    for (const { label, value, refusal, always = false } of extremesOf(schema)) {
      const event = { ...plainEvent(type), [field]: value };
      const isRequired = always || type.schema.required?.includes(field);
      // Nothing is left out of what a server says of an order, but for empty texts.
      const isStrict = isRequired || (isServerOnly(type) && !(value === '' || label.endsWith('empty')));
      // Nothing else says whose event it is.
      const isVisit = field === 'sessionId' && !isServerOnly(type);
      const strict = isVisit ? refusal && 'field_missing' : isStrict ? refusal : undefined;
      out.push({ label: `${type.type}.${field} ${label}`, event, refusal: strict ?? sizeRefusal(event) });
    }
  }
  return out;
}

function allFields(type: EventSchema, tried: ReadonlySet<string>): ExtremeEvent[] {
  const out: ExtremeEvent[] = [];
  const large = Object.entries(type.schema.properties).filter(([, schema]) => isLarge(schema));
  const isTried = large.length > 0 && large.every(([field, schema]) => tried.has(trial(type, field, schema)));
  for (const fields of ['required', 'all'] as const)
    for (const numbers of ['least', 'greatest'] as const)
      for (const lists of ['fewest', 'most'] as const)
        for (const texts of ['shortest', 'longest'] as const) {
          // Megabytes each: the smallest and the largest of those with the most elements.
          const isEven =
            (fields === 'all') === (numbers === 'greatest') && (fields === 'all') === (texts === 'longest');
          if (lists === 'most' && (!isEven || isTried)) continue;
          const whole = wholeObject(type.schema, { fields, numbers, lists, texts });
          // Consent is given by those with the greatest values. It is the later word, also within a millisecond.
          const timestamp = new Date(Date.now() + (numbers === 'greatest' ? 1 : 0)).toISOString();
          const event = { ...whole, ...identity(type.type, type.schema), timestamp };
          const label = `${type.type} ${fields} fields, ${numbers} numbers, ${lists} elements, ${texts} texts`;
          out.push({ label, event, refusal: sizeRefusal(event) });
        }
  return out;
}

function identity(type: string, { properties }: EventSchema['schema']): Record<string, unknown> {
  const own = { eventId: randomUUID(), type, timestamp: new Date().toISOString(), sessionId: `s-${randomUUID()}` };
  return 'orderId' in properties ? { ...own, orderId: `o-${randomUUID()}` } : own;
}

function sizeRefusal(event: Record<string, unknown>): string | undefined {
  const bytes = Buffer.byteLength(JSON.stringify(event));
  if (bytes > LIMITS.bodyBytes) return 'body_too_large';
  return bytes > LIMITS.eventBytes ? 'event_too_large' : undefined;
}

function extremesOf(schema: JsonSchema): ExtremeValue[] {
  switch (schema.type) {
    case 'string':
      return schema.pattern === undefined ? textExtremes(schema) : patternExtremes(schema.pattern);
    case 'integer':
    case 'number':
      return numberExtremes(schema);
    case 'boolean':
      return [true, false].map((value) => ({ label: String(value), value }));
    case 'array':
      return listExtremes(schema);
    case 'object':
      return schema.properties ? objectExtremes(schema) : FREE_OBJECTS;
    default:
      throw new Error(`no extremes are known of ${JSON.stringify(schema)}`);
  }
}

function textExtremes({ minLength = 0, maxLength = 100, 'x-cut': free = false }: JsonSchema): ExtremeValue[] {
  const fitting = Array.from(HOSTILE_TEXT).slice(0, maxLength).join('');
  return [
    { label: 'shortest', value: 'x'.repeat(minLength) },
    { label: 'longest', value: 'x'.repeat(maxLength) },
    { label: 'longest beyond the BMP', value: '\u{10FFFF}'.repeat(maxLength) },
    { label: 'longest of combining marks', value: `e${'\u0301'.repeat(maxLength - 1)}` },
    { label: 'hostile', value: fitting },
    { label: 'blank', value: ' '.repeat(Math.max(1, minLength)) },
    { label: 'like a number', value: '-1e308'.slice(0, maxLength) },
    { label: 'NULL', value: 'NULL' },
    { label: 'too long', value: 'x'.repeat(maxLength + 1), ...(free ? {} : { refusal: 'field_range' }) },
    { label: 'U+0000', value: 'a\0b', ...(free ? {} : { refusal: 'text_invalid' }) },
    { label: 'half a surrogate pair', value: 'a\ud800', ...(free ? {} : { refusal: 'text_invalid' }) },
    ...(minLength > 0 ? [{ label: 'empty', value: '', refusal: 'field_range' }] : []),
  ];
}

function patternExtremes(pattern: string): ExtremeValue[] {
  if (pattern !== '^[A-Z]{3}$') throw new Error(`no extremes are known of the pattern ${pattern}`);
  return [
    ...['AAA', 'ZZZ', 'XXX', 'dkk'].map((value) => ({ label: value, value })),
    ...['', 'DKKK'].map((value) => ({ label: `"${value}"`, value, refusal: 'field_format' })),
  ];
}

function numberExtremes(schema: JsonSchema): ExtremeValue[] {
  const { least, greatest, step } = range(schema);
  const within = [least, greatest, step, 0, 1, 0.07, -step].filter((n) => n >= least && n <= greatest);
  const whole = step === 1 ? within.filter(Number.isInteger) : [...within, decimalBelow(greatest)];
  return [
    ...[...new Set(whole)].map((value) => ({ label: String(value), value })),
    { label: 'minus zero', value: -0, ...(least > 0 ? { refusal: 'field_range' } : {}) },
    { label: 'too great', value: greatest + 1, refusal: 'field_range' },
    { label: 'too small', value: least - 1, refusal: 'field_range' },
    { label: 'too fine', value: 0.00001, ...(least > 0 ? { refusal: 'field_range' } : {}) },
    { label: 'beyond every double', value: OVERFLOW, refusal: 'number_invalid' },
  ];
}

/** What `body` writes as 1e999, which no double holds. */
export const OVERFLOW = '__1e999__';

function decimalBelow(greatest: number): number {
  return Number((greatest - 0.0001).toFixed(4));
}

function listExtremes(schema: JsonSchema): ExtremeValue[] {
  const { minItems = 0, maxItems = 10, items = {} } = schema;
  const short: Shape = { fields: 'required', numbers: 'greatest', lists: 'fewest', texts: 'shortest' };
  const item = wholeValue(items, short);
  const long = wholeValue(items, { ...short, fields: 'all', texts: 'longest' });
  const fitting = Math.floor((LIMITS.eventBytes - 2_000) / Buffer.byteLength(JSON.stringify(long)));
  const each =
    items.type === 'array' || items.properties
      ? Object.entries(items.properties ?? {}).flatMap(([name, child]) =>
          extremesOf(child).map(({ label, value, refusal, always = false }) => ({
            label: `[0].${name} ${label}`,
            value: [{ ...(item as object), [name]: value }],
            always,
            ...(refusal !== undefined && (always || items.required?.includes(name)) ? { refusal } : {}),
          })),
        )
      : extremesOf(items).map(({ value, ...rest }) => ({ ...rest, value: [value] }));
  return [
    { label: 'fewest', value: Array<unknown>(minItems).fill(item) },
    { label: 'most', value: Array<unknown>(maxItems).fill(item) },
    { label: 'longest that fit', value: Array<unknown>(Math.max(minItems, Math.min(maxItems, fitting))).fill(long) },
    { label: 'too many', value: Array<unknown>(maxItems + 1).fill(item), refusal: 'field_range' },
    ...(minItems > 0 ? [{ label: 'too few', value: [], refusal: 'field_range' }] : []),
    ...each,
  ];
}

function objectExtremes({ properties = {} }: JsonSchema): ExtremeValue[] {
  return [
    { label: 'empty', value: {} },
    ...Object.entries(properties).flatMap(([name, child]) =>
      extremesOf(child).map(({ label, value, ...rest }) => ({
        ...rest,
        label: `.${name} ${label}`,
        value: { [name]: value },
      })),
    ),
  ];
}

const DEEPEST = LIMITS.propertiesDepth;

const FREE_OBJECTS: ExtremeValue[] = [
  { label: 'empty', value: {} },
  { label: 'deepest', value: nested(DEEPEST, 1) },
  { label: 'too deep', value: nested(DEEPEST + 1, 1) },
  { label: 'deepest list', value: { l: nestedList(DEEPEST - 1) } },
  { label: 'most fields', value: Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`f${i}`, i])) },
  {
    label: 'too many fields',
    value: Object.fromEntries(Array.from({ length: 101 }, (_, i) => [`f${i}`, i])),
  },
  { label: 'huge numbers', value: { a: 1.7976931348623157e308, b: -1.7976931348623157e308, c: 5e-324, d: 2 ** 64 } },
  { label: 'overflow', value: { a: OVERFLOW }, refusal: 'number_invalid', always: true },
  { label: 'hostile', value: { [HOSTILE_TEXT]: HOSTILE_TEXT, '': null, __proto__x: [], toString: 1, b: 7, i: 0 } },
  { label: 'long name', value: { ['n'.repeat(20_000)]: '"'.repeat(4_000) } },
  { label: 'U+0000', value: { a: '\0' } },
];

function nested(depth: number, leaf: unknown): unknown {
  return depth === 0 ? leaf : { d: nested(depth - 1, leaf) };
}

function nestedList(depth: number): unknown {
  return depth === 0 ? 1e300 : [nestedList(depth - 1)];
}

function range(schema: JsonSchema): { least: number; greatest: number; step: number } {
  const step = schema.type === 'integer' ? 1 : (schema.multipleOf ?? 1e-9);
  const least = schema.minimum ?? (schema.exclusiveMinimum === undefined ? undefined : schema.exclusiveMinimum + step);
  if (least === undefined || schema.maximum === undefined) throw new Error('a number without bounds');
  return { least, greatest: schema.maximum, step };
}

function wholeObject(schema: JsonSchema, shape: Shape): Record<string, unknown> {
  const fields = Object.entries(schema.properties ?? {}).filter(
    ([name, { format, const: fixed }]) =>
      format === undefined && fixed === undefined && (shape.fields === 'all' || schema.required?.includes(name)),
  );
  return Object.fromEntries(fields.map(([name, child]) => [name, wholeValue(child, shape)]));
}

function wholeValue(schema: JsonSchema, shape: Shape): unknown {
  switch (schema.type) {
    case 'string':
      if (schema.pattern !== undefined) return 'DKK';
      return 'x'.repeat(shape.texts === 'longest' ? (schema.maxLength ?? 100) : (schema.minLength ?? 0));
    case 'integer':
    case 'number':
      return range(schema)[shape.numbers];
    case 'boolean':
      return shape.numbers === 'greatest';
    case 'array': {
      const length = shape.lists === 'most' ? (schema.maxItems ?? 10) : (schema.minItems ?? 0);
      return Array<unknown>(length).fill(wholeValue(schema.items ?? {}, shape));
    }
    case 'object':
      if (schema.properties) return wholeObject(schema, shape);
      return shape.numbers === 'greatest' ? nested(DEEPEST, 1.7976931348623157e308) : {};
    default:
      throw new Error(`no value is known of ${JSON.stringify(schema)}`);
  }
}

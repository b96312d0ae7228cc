import { dateTimeMs } from '../dateTime.ts';
import { pointerToken } from '../pointer.ts';
import type { JsonSchema } from '../registry.ts';
import { CorrectionNotes, type Correction } from './correction.ts';
import { isRawNumber } from './exactNumber.ts';
import { normaliseFree } from './freeObject.ts';
import { nearestDouble, plainDecimal, roundedDecimal } from './number.ts';
import { codePoints, firstCodePoints, isStorableText, repairedText, respelledDateTime } from './text.ts';

/** An event in the form of its schema, as far as that is possible without inventing anything. */
export interface Normalised {
  event: Record<string, unknown>;
  corrections: Correction[];
  /** Required texts that cannot be stored. */
  unstorable: string[];
}

/** A value after its corrections. An unusable one breaks its schema, or cannot be stored. */
interface Outcome {
  value: unknown;
  usable: boolean;
}

interface Walk {
  notes: CorrectionNotes;
  unstorable: string[];
  /** The body held bytes that are not UTF-8. Each is U+FFFD now. */
  damaged: boolean;
  /** Nothing is left out, and no list is cut: in what a server says of an order, an absent field has a meaning. */
  strict: boolean;
}

/** Place of a value: its JSON pointer, and whether its parent needs it. */
interface Place {
  path: string;
  required: boolean;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/**
 * Turn an event into the form of its schema, before it is validated. Pure.
 *
 * An optional value that cannot be used is left out. A required one stays as it is, so that validation names it. Fields
 * that the schema does not know stay too. The rules are those of sdk/conformance/normalise.
 */
export function normalise(event: object, schema: JsonSchema, { damaged = false } = {}): Normalised {
  const strict = schema['x-server-only'] === true;
  const walk: Walk = { notes: new CorrectionNotes(), unstorable: [], damaged, strict };
  const { value } = normaliseObject(event, schema, '', walk);
  return {
    event: value as Record<string, unknown>,
    corrections: walk.notes.list,
    unstorable: walk.unstorable,
  };
}

function normaliseValue(value: unknown, schema: JsonSchema, place: Place, walk: Walk): Outcome {
  switch (schema.type) {
    case 'number':
    case 'integer':
      return normaliseNumber(value, schema, place.path, walk);
    case 'boolean':
      return normaliseBoolean(value, place.path, walk);
    case 'array':
      return normaliseList(value, schema, place, walk);
    case 'object':
      if (schema.properties) return normaliseObject(value, schema, place.path, walk);
      return isObject(value)
        ? { value: normaliseFree(value, schema.maxProperties, place.path, walk), usable: true }
        : { value, usable: false };
    default:
      return normaliseText(value, schema, place, walk);
  }
}

/** Members of an object, without unusable optional ones. Its own fields decide whether it is usable. */
function normaliseObject(value: unknown, schema: JsonSchema, path: string, walk: Walk): Outcome {
  if (!isObject(value)) return { value, usable: false };
  const members: [string, unknown][] = [];
  let usable = (schema.required ?? []).every((name) => Object.hasOwn(value, name));
  for (const [name, member] of Object.entries(value)) {
    const at = `${path}/${pointerToken(name)}`;
    const known = Object.hasOwn(schema.properties!, name) ? schema.properties![name] : undefined;
    const optional = !schema.required?.includes(name);
    const required = !optional || walk.strict;
    if (optional && (member === null || (member === '' && known))) walk.notes.note('empty', at);
    else if (!known) members.push([name, member]);
    else {
      const mark = [walk.notes.mark, walk.unstorable.length] as const;
      const outcome = normaliseValue(member, known, { path: at, required }, walk);
      if (outcome.usable || required) members.push([name, outcome.value]);
      else leaveOut(at, mark, walk);
      usable &&= outcome.usable || !required;
    }
  }
  return { value: Object.fromEntries(members), usable };
}

/** Elements of a list. An optional list is cut at its limit and loses unusable elements. */
function normaliseList(value: unknown, schema: JsonSchema, { path, required }: Place, walk: Walk): Outcome {
  if (!Array.isArray(value)) return { value, usable: false };
  const { maxItems = Infinity, minItems = 0, items = {} } = schema;
  const tooLong = value.length > maxItems;
  if (tooLong && required) return { value, usable: false };
  if (tooLong) walk.notes.note('shortened', path);
  const elements: unknown[] = [];
  let usable = true;
  for (const [index, element] of (tooLong ? value.slice(0, maxItems) : value).entries()) {
    const at = `${path}/${index}`;
    const mark = [walk.notes.mark, walk.unstorable.length] as const;
    const outcome = normaliseValue(element, items, { path: at, required }, walk);
    if (outcome.usable || required) elements.push(outcome.value);
    else leaveOut(at, mark, walk);
    usable &&= outcome.usable || !required;
  }
  return { value: elements, usable: usable && elements.length >= minItems };
}

/** A text. Only a free one (`x-cut`) is repaired and cut: an id with other characters is another id. */
function normaliseText(
  value: unknown,
  schema: JsonSchema,
  { path, required }: Place,
  { notes, ...walk }: Walk,
): Outcome {
  const free = schema['x-cut'] === true;
  let text = value;
  if (typeof text === 'number' || typeof text === 'boolean') {
    const named = schema.pattern ?? schema.format ?? schema.const;
    if (named !== undefined || !(free ? text !== Infinity && text !== -Infinity : Number.isSafeInteger(text)))
      return { value, usable: false };
    text = String(text);
    notes.note('retyped', path);
  } else if (free && isRawNumber(text)) {
    text = text.rawJSON;
    notes.note('retyped', path);
  }
  if (typeof text !== 'string') return { value, usable: false };
  if (!isStorableText(text) || (walk.damaged && text.includes('\uFFFD'))) {
    if (!free) {
      if (required) walk.unstorable.push(path);
      return { value, usable: false };
    }
    text = repairedText(text);
    notes.note('repaired', path);
  }
  const spelled = respelled(text as string, schema);
  if (spelled !== text) notes.note('respelled', path);
  const { maxLength = Infinity, minLength = 0 } = schema;
  if (spelled.length <= maxLength || codePoints(spelled) <= maxLength)
    return { value: spelled, usable: codePoints(spelled) >= minLength && hasForm(spelled, schema) };
  if (!free) return { value, usable: false };
  notes.note('shortened', path);
  return { value: firstCodePoints(spelled, maxLength), usable: true };
}

/** The same value in the spelling of the schema. */
function respelled(text: string, { format, pattern }: JsonSchema): string {
  if (format === 'date-time') return respelledDateTime(text);
  if (pattern === undefined) return text;
  const capitals = text.trim().replaceAll(/[a-z]/g, (letter) => letter.toUpperCase());
  return new RegExp(pattern).test(capitals) ? capitals : text;
}

function hasForm(text: string, { format, pattern, const: only }: JsonSchema): boolean {
  if (format === 'date-time') return !Number.isNaN(dateTimeMs(text));
  if (format === 'uuid') return UUID.test(text);
  if (only !== undefined) return text === only;
  return pattern === undefined || new RegExp(pattern).test(text);
}

function normaliseNumber(value: unknown, schema: JsonSchema, path: string, { notes }: Walk): Outcome {
  let number = typeof value === 'string' ? plainDecimal(value) : value;
  if (number !== value) notes.note('retyped', path);
  if (typeof number !== 'number' && !isRawNumber(number)) return { value, usable: false };
  const nearest = nearestDouble(number);
  const places = schema.multipleOf === undefined ? undefined : Math.round(-Math.log10(schema.multipleOf));
  const rounded = places === undefined ? nearest : roundedDecimal(nearest, places);
  if (rounded !== number) notes.note('rounded', path);
  number = rounded;
  const { minimum = -Infinity, maximum = Infinity, exclusiveMinimum = -Infinity } = schema;
  const inRange = rounded >= minimum && rounded <= maximum && rounded > exclusiveMinimum;
  const usable = Number.isFinite(rounded) && inRange && (schema.type === 'number' || Number.isInteger(rounded));
  return usable ? { value: rounded, usable } : { value, usable };
}

function normaliseBoolean(value: unknown, path: string, { notes }: Walk): Outcome {
  if (value !== 'true' && value !== 'false') return { value, usable: typeof value === 'boolean' };
  notes.note('retyped', path);
  return { value: value === 'true', usable: true };
}

/** Note that a value is left out, in place of what was noted within it. */
function leaveOut(path: string, [notes, unstorable]: readonly [number, number], walk: Walk): void {
  walk.unstorable.length = unstorable;
  walk.notes.returnTo(notes);
  walk.notes.note('left_out', path);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !isRawNumber(value);
}

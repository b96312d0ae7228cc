import type { ErrorObject } from 'ajv';
import type { EventErrorCode } from '../../schemas/errors.ts';
import type { EventSchema, JsonSchema } from '../../schemas/registry.ts';
import { isRawNumber } from '../../schemas/normalise/exactNumber.ts';
import { codePoints } from '../../schemas/normalise/text.ts';
import { pointerToken } from '../../schemas/pointer.ts';
import { nearName } from './nearName.ts';

/** Reason to reject an event: code, JSON pointer, and what to change. */
export interface EventFault {
  code: EventErrorCode;
  path: string;
  message: string;
}

const MAX_SHOWN = 60;

/** Turn Ajv's error into a fault. */
function schemaFault(error: ErrorObject, event: object, { type, schema }: EventSchema): EventFault {
  const path = error.instancePath;
  const value = valueAt(event, path);
  const params = error.params as Record<string, unknown>;
  if (isBeyondDoubles(value, params.type)) {
    return { code: 'number_invalid', path, message: NUMBER_INVALID };
  }
  switch (error.keyword) {
    case 'required': {
      const field = String(params.missingProperty);
      return missing(`${path}/${pointerToken(field)}`, type, error.schemaPath, schema);
    }
    case 'additionalProperties':
      return unknownField(path, String(params.additionalProperty), type, schema);
    case 'type':
      return {
        code: 'field_type',
        path,
        message: `${path} must be ${A_TYPE[String(params.type)]}, not ${aKind(value)}.`,
      };
    case 'format':
      return {
        code: 'field_format',
        path,
        message: `${path} must be ${FORMATS[String(params.format)]}; got ${shown(value)}.`,
      };
    case 'pattern':
      return {
        code: 'field_format',
        path,
        message: `${path} must match ${String(params.pattern)}; got ${shown(value)}.`,
      };
    case 'const':
    case 'enum':
      return { code: 'field_format', path, message: `${path} has a value that is not allowed: ${shown(value)}.` };
    default:
      return { code: 'field_range', path, message: `${path} ${range(error.keyword, params, value)}.` };
  }
}

export const NUMBER_INVALID = 'The number is too large, or has more digits than a double holds. Send it as text.';

/** Most faults of an event that are told. */
export const MOST_FAULTS = 20;
/** Members of an event above which only its first fault is told. */
const MOST_MEMBERS = 1_000;

/** Turn all of Ajv's errors into faults, one a path. */
export function schemaFaults(errors: readonly ErrorObject[], event: object, type: EventSchema): EventFault[] {
  const byPath = new Map<string, EventFault>();
  for (const error of errors) {
    if (byPath.size === MOST_FAULTS) break;
    if (error.keyword === 'anyOf') continue; // its choices are errors of their own
    const fault = schemaFault(error, event, type);
    if (!byPath.has(fault.path)) byPath.set(fault.path, fault);
  }
  return [...byPath.values()];
}

/** Whether listing all faults of an event takes little time, whatever it holds. */
export function isListable(event: object): boolean {
  return Object.keys(event).length <= MOST_MEMBERS;
}

/** A number that doubles change. As an id, a double of 2^53 or more may have been changed by the sender. */
function isBeyondDoubles(value: unknown, wanted: unknown): boolean {
  if (isRawNumber(value)) return true;
  if (typeof value !== 'number') return false;
  return !Number.isFinite(value) || (wanted === 'string' && Number.isInteger(value) && !Number.isSafeInteger(value));
}

const A_TYPE: Record<string, string> = {
  string: 'text',
  number: 'a number',
  integer: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
};

const FORMATS: Record<string, string> = {
  uuid: 'a UUID made for this event, such as 019ab2c4-7d1e-7c3a-9f00-1b2c3d4e5f60',
  'date-time': 'an RFC 3339 date-time with a zone, such as 2026-11-23T09:59:59.900Z',
};

function missing(path: string, type: string, schemaPath: string, schema: JsonSchema): EventFault {
  const choices = (schema.anyOf ?? []).flatMap((choice) => choice.required ?? []);
  if (schemaPath.startsWith('#/anyOf/') && choices.length > 0) {
    return {
      code: 'field_missing',
      path: '',
      message: `${type} needs ${choices.map((name) => `/${name}`).join(' or ')}. Add one.`,
    };
  }
  return { code: 'field_missing', path, message: `${path} is required in ${type}. Add it.` };
}

function unknownField(parent: string, name: string, type: string, schema: JsonSchema): EventFault {
  const known = Object.keys(schemaAt(schema, parent)?.properties ?? {});
  // A name of half a megabyte is like none, and takes long to compare.
  const near = name.length <= MAX_SHOWN ? nearName(name, known) : undefined;
  const where = parent === '' ? type : `${parent} of ${type}`;
  const advice = near
    ? `Did you mean ${JSON.stringify(near)}?`
    : 'Correct its name, or put your own data under "properties".';
  return {
    code: 'field_unknown',
    path: `${parent}/${pointerToken(name)}`,
    message: `${shown(name)} is not a field of ${where}. ${advice}`,
  };
}

function range(keyword: string, params: Record<string, unknown>, value: unknown): string {
  const limit = Number(params.limit);
  switch (keyword) {
    case 'minimum':
      return `must be ${limit} or more; got ${shown(value)}`;
    case 'maximum':
      return `must be ${limit} or less; got ${shown(value)}`;
    case 'exclusiveMinimum':
      return `must be more than ${limit}; got ${shown(value)}`;
    case 'minLength':
      return `must have ${limit} or more characters`;
    case 'maxLength':
      return `must have ${limit} characters or fewer; it has ${codePoints(String(value))}`;
    case 'minItems':
      return `must have ${limit} or more elements`;
    case 'maxItems':
      return `must have ${limit} elements or fewer; it has ${(value as unknown[]).length}`;
    case 'maxProperties':
      return `must have ${limit} fields or fewer; it has ${Object.keys(value as object).length}`;
    case 'multipleOf':
      return `must have no more than ${Math.round(-Math.log10(limit))} decimals; got ${shown(value)}`;
    default:
      return `breaks the rule "${keyword}" of its schema`;
  }
}

/** Short JSON of a value for a message. */
export function shown(value: unknown): string {
  if (typeof value === 'object' && value !== null) return aKind(value);
  const text = JSON.stringify(typeof value === 'string' ? value.slice(0, MAX_SHOWN + 1) : value);
  return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text;
}

/** Kind of a JSON value: `text`, `a list`, … */
export function aKind(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  return A_TYPE[typeof value]!;
}

function pointerSteps(pointer: string): string[] {
  return pointer
    .split('/')
    .slice(1)
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
}

function valueAt(root: unknown, pointer: string): unknown {
  let node = root;
  for (const step of pointerSteps(pointer)) node = (node as Record<string, unknown> | undefined)?.[step];
  return node;
}

/** Find the schema at a pointer. List elements share one. */
function schemaAt(root: JsonSchema, pointer: string): JsonSchema | undefined {
  let node: JsonSchema | undefined = root;
  for (const step of pointerSteps(pointer)) node = node?.items ?? node?.properties?.[step];
  return node;
}

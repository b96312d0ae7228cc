import type { ValidateFunction } from 'ajv';
import type { RejectedEvent } from '../../schemas/envelope.ts';
import { LIMITS } from '../../schemas/limits.ts';
import type { KeyKind } from '../../schemas/keys.ts';
import { isServerOnly, type EventSchema, type Registry } from '../../schemas/registry.ts';
import { contentFault, type ContentFault } from './content.ts';
import type { Correction } from '../../schemas/normalise/correction.ts';
import { normalise } from '../../schemas/normalise/normalise.ts';
import { freeObjects, freePlaces, withFreeObjectsOf, type FreeObject, type FreePlace } from './freeObjects.ts';
import { aKind, isListable, MOST_FAULTS, NUMBER_INVALID, schemaFaults, shown, type EventFault } from './faults.ts';
import { sizeFault, timeFault } from './bounds.ts';
import { createAjv } from './keywords.ts';
import { rawJson } from './rawJson.ts';
import { safeText } from './safeText.ts';

const MAX_TYPE_LENGTH = 64;
const MAX_EVENT_ID_LENGTH = 64;
const MAX_PATH_LENGTH = 300;

/** A parsed batch with server-side facts. */
export interface BatchToJudge {
  events: readonly unknown[];
  receivedAtMs: number;
  /** Correction of the sender's clock: event time is timestamp plus this. */
  skewMs: number;
  /** Kind of the sender's key; without one, event types for server keys are rejected. */
  keyKind?: KeyKind | undefined;
  /** Positions in the sender's batch, if `events` is only a part of it. */
  indexes?: readonly number[];
  /** Accept events older than LIMITS.pastDays. */
  acceptOld?: boolean;
  /** The events with their numbers exact: those that doubles change are RawNumber. Called if that may matter. */
  exactEvents?: () => readonly unknown[];
  /** The body held bytes that are not UTF-8, which are U+FFFD in `events`. */
  damaged?: boolean;
}

/** A correction of an accepted event, with the event's place in the batch. */
export interface CorrectedPlace extends Correction {
  /** Position in the sender's batch; absent for the batch itself. */
  index?: number;
}

/** The verdict on a batch: accepted and rejected events. */
export interface Judgement {
  /** Accepted events as ends of stream lines: `,"i":0,"v":1,"eventId":…}` and a newline. */
  lineEnds: string[];
  rejected: JudgedEvent[];
  /** Corrections of accepted events. */
  corrected: CorrectedPlace[];
}

/** A rejected event with each of its faults; absent for a whole body. */
export interface JudgedEvent extends RejectedEvent {
  faults?: EventFault[];
}

interface EventType {
  schema: EventSchema;
  free: readonly FreePlace[];
  validate: ValidateFunction;
  /** Finds all faults, and takes longer. */
  validateAll: ValidateFunction;
}

/** An event, its JSON and its corrections. The faults of a rejected one. */
interface Outcome {
  event: Record<string, unknown>;
  json: string;
  corrections: readonly Correction[];
  faults: EventFault[];
}

const NONE: readonly Correction[] = [];
/** Depth of an event: itself, a list and its elements, and a free object of them. */
const DEEPEST = LIMITS.propertiesDepth + 3;

/** Judge of single events: form, content, size, time. */
export class Judge {
  readonly #types: Map<string, EventType>;
  readonly #known: string;

  constructor(registry: Registry) {
    const first = createAjv(false);
    const all = createAjv(true);
    this.#types = new Map(
      [...registry.latest].map(([type, schema]) => [
        type,
        {
          schema,
          free: freePlaces(schema.schema),
          validate: first.compile(schema.schema),
          validateAll: all.compile(schema.schema),
        },
      ]),
    );
    this.#known = [...this.#types.keys()].join(', ');
  }

  judge(batch: BatchToJudge): Judgement {
    const judgement: Judgement = { lineEnds: [], rejected: [], corrected: [] };
    const { events } = batch;
    for (let at = 0; at < events.length; at++) {
      const index = batch.indexes?.[at] ?? at;
      const type = this.#typeOf(events[at]);
      const refusal = type ? typeFault(type, batch) : this.#noType(events[at]);
      const outcome = refusal ? undefined : judgeEvent(at, type!, batch);
      const faults = outcome?.faults ?? [refusal!];
      if (!outcome || faults.length > 0) {
        judgement.rejected.push(rejectedEvent(index, exactEvent(at, batch), faults, type?.schema.version));
        continue;
      }
      const { json, corrections } = outcome;
      const notes = corrections.length === 0 ? '' : `"c":${JSON.stringify(corrections)},`;
      judgement.lineEnds.push(`,"i":${index},"v":${type!.schema.version},${notes}${json.slice(1)}\n`);
      for (const correction of corrections) judgement.corrected.push({ index, ...correction });
    }
    return judgement;
  }

  #typeOf(event: unknown): EventType | undefined {
    if (typeof event !== 'object' || event === null || Array.isArray(event)) return undefined;
    const { type } = event as { type?: unknown };
    return typeof type === 'string' ? this.#types.get(type) : undefined;
  }

  #noType(event: unknown): EventFault {
    if (typeof event !== 'object' || event === null || Array.isArray(event)) {
      return { code: 'event_not_object', path: '', message: `An event must be a JSON object, not ${aKind(event)}.` };
    }
    const { type } = event as { type?: unknown };
    const known = `Known types: ${this.#known}.`;
    if (type === undefined) return { code: 'field_missing', path: '/type', message: `/type is required. ${known}` };
    if (typeof type !== 'string') {
      return { code: 'field_type', path: '/type', message: `/type must be text, not ${aKind(type)}. ${known}` };
    }
    return { code: 'type_unknown', path: '/type', message: `${shown(type)} is not an event type. ${known}` };
  }
}

/** Judge an event as it is, and normalise it only if that does not suffice. */
function judgeEvent(at: number, type: EventType, batch: BatchToJudge): Outcome {
  const event = batch.events[at] as Record<string, unknown>;
  const outcome = (batch.damaged ? undefined : asItIs(event, at, type, batch)) ?? normalised(at, type, batch);
  const size = sizeFault(outcome.json);
  if (size) outcome.faults.push(size);
  const time = timeFault(outcome.event.timestamp, batch);
  if (time) outcome.faults.push(time);
  return outcome;
}

/** The outcome of an event that needs no correction, which is most of them; undefined for any other. */
function asItIs(
  event: Record<string, unknown>,
  at: number,
  { validate, free }: EventType,
  batch: BatchToJudge,
): Outcome | undefined {
  if (!validate(event)) return undefined;
  let exact: object = event;
  // Only free objects are free in the schema. Elsewhere it bounds numbers and nesting.
  const found = freeObjects(event, free);
  if (found.some(isUnstorable)) return undefined;
  if (found.some(({ value }) => holdsNumber(value))) {
    const whole = exactEvent(at, batch) as object;
    if (whole !== event) {
      if (freeObjects(whole, free).some(isUnstorable)) return undefined;
      exact = withFreeObjectsOf(event, whole, free);
    }
  }
  const json = JSON.stringify(exact);
  // Unstorable characters are written as \u…, as other control characters are. Only a walk tells them apart.
  if (json.includes('\\u') && contentFault(event, DEEPEST)) return undefined;
  return { event, json, corrections: NONE, faults: [] };
}

/** The outcome of an event after normalising. */
function normalised(at: number, { schema, free, validate, validateAll }: EventType, batch: BatchToJudge): Outcome {
  const { damaged = false } = batch;
  const { event, corrections, unstorable } = normalise(exactEvent(at, batch) as object, schema.schema, { damaged });
  const faults = unstorable.map((path) => contentMessage({ code: 'text_invalid', path }));
  const check = isListable(event) ? validateAll : validate;
  if (!check(event)) faults.push(...schemaFaults(check.errors!, event, schema));
  for (const { value, path } of freeObjects(event, free)) {
    const content = contentFault(value, LIMITS.propertiesDepth, path);
    if (content && faults.length < MOST_FAULTS) faults.push(contentMessage(content));
  }
  // The size of an event with faults is not told: its JSON may overflow the stack.
  return { event, json: faults.length > 0 ? '' : JSON.stringify(event), corrections, faults };
}

function isUnstorable({ value }: FreeObject): boolean {
  return contentFault(value, LIMITS.propertiesDepth) !== undefined;
}

/** Whether a value of bounded depth holds a number, whose digits the text of the body may have lost. */
function holdsNumber(value: unknown): boolean {
  if (typeof value === 'number') return true;
  return typeof value === 'object' && value !== null && Object.values(value).some(holdsNumber);
}

function exactEvent(at: number, { events, exactEvents }: BatchToJudge): unknown {
  return (exactEvents?.() ?? events)[at];
}

const CONTENT_MESSAGES: Partial<Record<ContentFault['code'], string>> = {
  text_invalid:
    'The id holds U+0000, half of a surrogate pair or bytes that are not UTF-8. Remove them before sending.',
  number_invalid: NUMBER_INVALID,
};

function contentMessage({ code, path }: ContentFault): EventFault {
  return { code, path, message: CONTENT_MESSAGES[code] ?? '' };
}

/** The fault of a type that the sender's key may not send. */
function typeFault({ schema }: EventType, { keyKind }: BatchToJudge): EventFault | undefined {
  if (!isServerOnly(schema) || keyKind === 'server') return undefined;
  const { type } = schema;
  const message = `${type} is for server keys, because anyone can read a key in a page. Send it from the shop's backend.`;
  return { code: 'server_key_required', path: '/type', message };
}

function rejectedEvent(
  index: number,
  event: unknown,
  faults: readonly EventFault[],
  version: number | undefined,
): JudgedEvent {
  const { eventId, type } = (event ?? {}) as { eventId?: unknown; type?: unknown };
  const told = faults.map(({ code, path, message }) => ({
    code,
    path: safeText(path, MAX_PATH_LENGTH),
    message: message.toWellFormed(),
  }));
  return {
    index,
    ...(typeof eventId === 'string' ? { eventId: safeText(eventId, MAX_EVENT_ID_LENGTH) } : {}),
    code: told[0]!.code,
    path: told[0]!.path,
    message: told.map(({ message }) => message).join(' '),
    ...(typeof type === 'string' ? { type: safeText(type, MAX_TYPE_LENGTH) } : {}),
    ...(version === undefined ? {} : { schemaVersion: version }),
    raw: rawJson(event),
    faults: told,
  };
}

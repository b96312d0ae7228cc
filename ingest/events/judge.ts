import type { ValidateFunction } from 'ajv';
import type { RejectedEvent } from '../../schemas/envelope.ts';
import { LIMITS } from '../../schemas/limits.ts';
import type { KeyKind } from '../../schemas/keys.ts';
import { isServerOnly, type EventSchema, type Registry } from '../../schemas/registry.ts';
import { contentFault, type ContentFault } from './content.ts';
import { dateTimeMs } from '../../schemas/dateTime.ts';
import { aKind, NUMBER_INVALID, schemaFault, shown, type EventFault } from './faults.ts';
import { createAjv } from './keywords.ts';
import { rawJson } from './rawJson.ts';
import { safeText } from './safeText.ts';
import { DAY_MS } from '../../runtime/units.ts';

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
}

/** The verdict on a batch: accepted and rejected events. */
export interface Judgement {
  /** Accepted events as ends of stream lines: `,"i":0,"v":1,"eventId":…}` and a newline. */
  lineEnds: string[];
  rejected: RejectedEvent[];
}

interface EventType {
  schema: EventSchema;
  validate: ValidateFunction;
}

/** Judge of single events: schema, content, size, time. */
export class Judge {
  readonly #types: Map<string, EventType>;
  readonly #known: string;

  constructor(registry: Registry) {
    const ajv = createAjv();
    this.#types = new Map(
      [...registry.latest].map(([type, schema]) => [type, { schema, validate: ajv.compile(schema.schema) }]),
    );
    this.#known = [...this.#types.keys()].join(', ');
  }

  judge(batch: BatchToJudge): Judgement {
    const lineEnds: string[] = [];
    const rejected: RejectedEvent[] = [];
    const { events } = batch;
    for (let at = 0; at < events.length; at++) {
      const event = events[at];
      const index = batch.indexes?.[at] ?? at;
      const type = this.#typeOf(event);
      const outcome = type ? judgeEvent(event as Record<string, unknown>, type, batch) : this.#noType(event);
      if (typeof outcome === 'string') {
        lineEnds.push(`,"i":${index},"v":${type!.schema.version},${outcome.slice(1)}\n`);
      } else {
        rejected.push(rejectedEvent(index, event, outcome, type?.schema.version));
      }
    }
    return { lineEnds, rejected };
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

/** The compact JSON of an accepted event, or the fault of a rejected one. */
function judgeEvent(
  event: Record<string, unknown>,
  { schema, validate }: EventType,
  batch: BatchToJudge,
): string | EventFault {
  if (isServerOnly(schema) && batch.keyKind !== 'server') return serverOnly(schema);
  if (!validate(event)) return schemaFault(validate.errors![0]!, event, schema);
  // Only "properties" is free in the schema. Elsewhere the schema bounds numbers and nesting.
  if (event.properties !== undefined) {
    const fault = contentFault(event.properties, LIMITS.propertiesDepth, '/properties');
    if (fault) return contentMessage(fault);
  }
  const json = JSON.stringify(event);
  const tooLarge = sizeFault(json);
  if (tooLarge) return tooLarge;
  // Unstorable characters are written as \u…, as other control characters are. Only a walk tells them apart.
  if (json.includes('\\u')) {
    const fault = contentFault(event, LIMITS.propertiesDepth + 1);
    if (fault) return contentMessage(fault);
  }
  return timeFault(event.timestamp as string, batch) ?? json;
}

const CONTENT_MESSAGES: Partial<Record<ContentFault['code'], string>> = {
  text_invalid: 'The text (or a name in it) holds U+0000 or half of a surrogate pair. Remove it before sending.',
  number_invalid: NUMBER_INVALID,
  nesting_too_deep: `"properties" may be nested ${LIMITS.propertiesDepth} levels deep, itself included. Flatten it, or send the inner part as text.`,
};

function contentMessage({ code, path }: ContentFault): EventFault {
  return { code, path, message: CONTENT_MESSAGES[code] ?? '' };
}

function sizeFault(json: string): EventFault | undefined {
  // A UTF-16 unit has at most three bytes of UTF-8, so most events need no count.
  if (json.length * 3 <= LIMITS.eventBytes) return undefined;
  const bytes = Buffer.byteLength(json);
  if (bytes <= LIMITS.eventBytes) return undefined;
  return {
    code: 'event_too_large',
    path: '',
    message: `The event is ${bytes} bytes of compact JSON; at most ${LIMITS.eventBytes} are accepted. Send less with it.`,
  };
}

/** Check the age of an event; bounds are inclusive. The lake has no day before 1970. */
function timeFault(timestamp: string, { receivedAtMs, skewMs, acceptOld }: BatchToJudge): EventFault | undefined {
  const eventTimeMs = dateTimeMs(timestamp) + skewMs;
  const aheadMs = eventTimeMs - receivedAtMs;
  if (aheadMs > LIMITS.futureSeconds * 1000) {
    return {
      code: 'timestamp_in_future',
      path: '/timestamp',
      message: `/timestamp lies ${Math.ceil(aheadMs / 1000)} seconds ahead of receipt${corrected(skewMs)}; at most ${LIMITS.futureSeconds} are accepted. Set the clock, or send sentAt by the same clock.`,
    };
  }
  if (-aheadMs > LIMITS.pastDays * DAY_MS && !(acceptOld && eventTimeMs >= 0)) {
    return {
      code: 'timestamp_too_old',
      path: '/timestamp',
      message: `/timestamp lies ${(-aheadMs / DAY_MS).toFixed(2)} days before receipt${corrected(skewMs)}; at most ${LIMITS.pastDays} are accepted.`,
    };
  }
  return undefined;
}

function serverOnly({ type }: EventSchema): EventFault {
  const message = `${type} is for server keys, because anyone can read a key in a page. Send it from the shop's backend.`;
  return { code: 'server_key_required', path: '/type', message };
}

function corrected(skewMs: number): string {
  return skewMs === 0 ? '' : ` (after correcting by ${skewMs} ms for the sender's clock, from sentAt)`;
}

function rejectedEvent(index: number, event: unknown, fault: EventFault, version: number | undefined): RejectedEvent {
  const { eventId, type } = (event ?? {}) as { eventId?: unknown; type?: unknown };
  return {
    index,
    ...(typeof eventId === 'string' ? { eventId: safeText(eventId, MAX_EVENT_ID_LENGTH) } : {}),
    code: fault.code,
    path: safeText(fault.path, MAX_PATH_LENGTH),
    message: fault.message.toWellFormed(),
    ...(typeof type === 'string' ? { type: safeText(type, MAX_TYPE_LENGTH) } : {}),
    ...(version === undefined ? {} : { schemaVersion: version }),
    raw: rawJson(event),
  };
}

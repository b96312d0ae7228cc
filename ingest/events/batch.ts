import { isAscii, isUtf8 } from 'node:buffer';
import { ReceiverError } from '../../schemas/errors.ts';
import { LIMITS } from '../../schemas/limits.ts';
import { dateTimeMs } from '../../schemas/dateTime.ts';
import { aKind, shown } from './faults.ts';

/** A body that is a JSON object, with its key. Other fields are unchecked. */
export interface Body {
  text: string;
  value: Record<string, unknown>;
  key: string | undefined;
}

/** The checked parts of a body. */
export interface Shape {
  events: readonly unknown[];
  sentAt: string | undefined;
}

const FIELDS = ['instrumentationKey', 'sentAt', 'events'];
const WANTED = 'Send {"instrumentationKey", "sentAt", "events": […]}.';

/**
 * Decode a body, without a byte order mark (RFC 8259 §8.1).
 * @throws ReceiverError body_not_json if the body is not UTF-8
 */
export function decodeText(bytes: Buffer): string {
  if (isAscii(bytes)) return bytes.toString('latin1');
  if (!isUtf8(bytes)) throw new ReceiverError('body_not_json', 'The body is not valid UTF-8. Encode it as UTF-8.');
  const text = bytes.toString('utf8');
  return text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
}

/**
 * Parse a body. The last value of a repeated name counts.
 * @throws ReceiverError body_not_json, body_invalid
 */
export function parseBody(text: string): Body {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const reason = text.trim() === '' ? 'it is empty' : shown((error as Error).message).slice(1, -1);
    throw new ReceiverError('body_not_json', `The body is not JSON: ${reason}. ${WANTED}`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new ReceiverError('body_invalid', `The body must be a JSON object, not ${aKind(value)}. ${WANTED}`);
  }
  const body = value as Record<string, unknown>;
  const key = body.instrumentationKey;
  if (key !== undefined && typeof key !== 'string') {
    throw new ReceiverError('body_invalid', `/instrumentationKey must be text, not ${aKind(key)}.`);
  }
  return { text, value: body, key: key === '' ? undefined : key };
}

/**
 * Check the shape of a body around its events.
 * @throws ReceiverError body_invalid, batch_empty, batch_too_large
 */
export function checkShape({ value }: Body): Shape {
  for (const name of Object.keys(value)) {
    if (!FIELDS.includes(name))
      throw new ReceiverError('body_invalid', `${shown(name)} is not a field of a batch. ${WANTED}`);
  }
  const { events, sentAt } = value;
  if (sentAt !== undefined && (typeof sentAt !== 'string' || Number.isNaN(dateTimeMs(sentAt)))) {
    throw new ReceiverError(
      'body_invalid',
      `/sentAt must be an RFC 3339 date-time with a zone, such as 2026-11-23T10:00:00.120Z; got ${shown(sentAt)}.`,
    );
  }
  if (!Array.isArray(events)) {
    throw new ReceiverError('body_invalid', `/events must be a list, not ${aKind(events)}. ${WANTED}`);
  }
  if (events.length === 0) throw new ReceiverError('batch_empty', '/events is empty. Send at least one event.');
  if (events.length > LIMITS.batchEvents) {
    throw new ReceiverError(
      'batch_too_large',
      `The batch has ${events.length} events; at most ${LIMITS.batchEvents} are accepted. Send smaller batches.`,
    );
  }
  return { events, sentAt };
}

/**
 * Correction of the sender's clock in milliseconds: receipt minus sentAt.
 * A difference of at most LIMITS.skewToleranceSeconds counts as latency, and the correction is 0.
 */
export function clockSkewMs(sentAt: string | undefined, receivedAtMs: number): number {
  if (sentAt === undefined) return 0;
  const skewMs = receivedAtMs - dateTimeMs(sentAt);
  return Math.abs(skewMs) > LIMITS.skewToleranceSeconds * 1000 ? skewMs : 0;
}

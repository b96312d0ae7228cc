import { isAscii, isUtf8 } from 'node:buffer';
import { ReceiverError } from '../../schemas/errors.ts';
import { LIMITS } from '../../schemas/limits.ts';
import { dateTimeMs } from '../../schemas/dateTime.ts';
import type { CorrectionKind } from '../../schemas/normalise/correction.ts';
import { mayHoldLongNumber, parseExact } from '../../schemas/normalise/exactNumber.ts';
import { respelledDateTime } from '../../schemas/normalise/text.ts';
import { pointerToken } from '../../schemas/pointer.ts';
import { aKind, shown } from './faults.ts';
import type { CorrectedPlace } from './judge.ts';
import { safeText } from './safeText.ts';

/** The text of a body; `damaged` if bytes that are not UTF-8 became U+FFFD. */
export interface BodyText {
  text: string;
  damaged: boolean;
}

/** A body that is a JSON object, with its key. Other fields are unchecked. */
export interface Body extends BodyText {
  value: Record<string, unknown>;
  key: string | undefined;
}

/** The checked parts of a body. */
export interface Shape {
  events: readonly unknown[];
  /** See BatchToJudge. */
  exactEvents: () => readonly unknown[];
  sentAt: string | undefined;
  /** Corrections of the batch itself. */
  corrected: CorrectedPlace[];
}

const FIELDS = ['instrumentationKey', 'sentAt', 'events'];
const WANTED = 'Send {"instrumentationKey", "sentAt", "events": […]}.';
const NOT_UTF8 = 'The body is not valid UTF-8. Encode it as UTF-8.';
/** Most fields beside "events" that a receipt names. */
const MOST_NAMED = 10;
const MAX_NAME_LENGTH = 100;

/** Decode a body as UTF-8, without a byte order mark (RFC 8259 §8.1). */
export function decodeText(bytes: Buffer): BodyText {
  if (isAscii(bytes)) return { text: bytes.toString('latin1'), damaged: false };
  const text = bytes.toString('utf8');
  return { text: text.charCodeAt(0) === 0xfeff ? text.slice(1) : text, damaged: !isUtf8(bytes) };
}

/**
 * Parse a body. The last value of a repeated name counts.
 * @throws ReceiverError body_not_json, body_invalid
 */
export function parseBody({ text, damaged }: BodyText): Body {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    if (damaged) throw new ReceiverError('body_not_json', NOT_UTF8);
    const reason = text.trim() === '' ? 'it is empty' : shown((error as Error).message).slice(1, -1);
    throw new ReceiverError('body_not_json', `The body is not JSON: ${reason}. ${WANTED}`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new ReceiverError('body_invalid', `The body must be a JSON object, not ${aKind(value)}. ${WANTED}`);
  }
  const body = value as Record<string, unknown>;
  const key = body.instrumentationKey ?? undefined;
  if (key !== undefined && typeof key !== 'string') {
    throw new ReceiverError('body_invalid', `/instrumentationKey must be text, not ${aKind(key)}.`);
  }
  return { text, damaged, value: body, key: key === '' ? undefined : key };
}

/**
 * Check the shape of a body around its events. Unknown fields and an unusable sentAt are left out, and told.
 * @throws ReceiverError body_invalid, batch_empty, batch_too_large
 */
export function checkShape({ text, value }: Body): Shape {
  const { events } = value;
  const unknown = Object.keys(value).filter((name) => !FIELDS.includes(name));
  if (!Array.isArray(events)) {
    const found = unknown.length === 0 ? '' : ` ${shown(unknown[0])} is not a field of a batch.`;
    throw new ReceiverError('body_invalid', `/events must be a list, not ${aKind(events)}.${found} ${WANTED}`);
  }
  if (events.length === 0) throw new ReceiverError('batch_empty', '/events is empty. Send at least one event.');
  if (events.length > LIMITS.batchEvents) {
    throw new ReceiverError(
      'batch_too_large',
      `The batch has ${events.length} events; at most ${LIMITS.batchEvents} are accepted. Send smaller batches.`,
    );
  }
  const corrected: CorrectedPlace[] = [];
  const note = (kind: CorrectionKind, name: string): void =>
    void corrected.push({ kind, path: `/${pointerToken(safeText(name, MAX_NAME_LENGTH))}` });
  for (const name of unknown.slice(0, MOST_NAMED)) note('left_out', name);
  const sentAt = sentAtOf(value.sentAt, (kind) => note(kind, 'sentAt'));
  let exact: readonly unknown[] | undefined;
  const exactEvents = (): readonly unknown[] =>
    (exact ??= mayHoldLongNumber(text) ? (parseExact(text) as { events: unknown[] }).events : events);
  return { events, exactEvents, sentAt, corrected };
}

/** A usable sentAt; undefined for any other. */
function sentAtOf(value: unknown, note: (kind: CorrectionKind) => void): string | undefined {
  if (value === undefined) return undefined;
  if (value === null || value === '') {
    note('empty');
    return undefined;
  }
  const text = typeof value === 'string' ? respelledDateTime(value) : '';
  if (Number.isNaN(dateTimeMs(text))) {
    note('left_out');
    return undefined;
  }
  if (text !== value) note('respelled');
  return text;
}

/**
 * Correction of the sender's clock in milliseconds: receipt minus sentAt.
 *
 * A difference of at most LIMITS.skewToleranceSeconds counts as latency, and the correction is 0. A sentAt in the future
 * shows a clock that is ahead. One far in the past may be that of a stored body, so nothing is corrected: see isStale.
 * @param fromPage whether a page sent it; false if that is not known
 */
export function clockSkewMs(sentAt: string | undefined, receivedAtMs: number, fromPage = false): number {
  if (sentAt === undefined || isStale(sentAt, receivedAtMs, fromPage)) return 0;
  const skewMs = receivedAtMs - dateTimeMs(sentAt);
  return Math.abs(skewMs) > LIMITS.skewToleranceSeconds * 1000 ? skewMs : 0;
}

/**
 * Whether a body may have been stored since its sentAt.
 *
 * A page takes sentAt at each sending, and a device's clock may be behind by years. Others may keep whole bodies.
 */
export function isStale(sentAt: string, receivedAtMs: number, fromPage = false): boolean {
  return !fromPage && receivedAtMs - dateTimeMs(sentAt) > LIMITS.clockBehindSeconds * 1000;
}

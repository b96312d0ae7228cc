import { createHash } from 'node:crypto';
import { checkShape, clockSkewMs, parseBody } from '../../ingest/events/batch.ts';
import type { Judge } from '../../ingest/events/judge.ts';
import { rawJson } from '../../ingest/events/rawJson.ts';
import { PROCESSOR_CODES } from '../../lake/window/rejected.ts';
import { ReceiverError } from '../../schemas/errors.ts';
import { applyFix, type Fix } from './fix.ts';
import type { QuarantinedRow } from './rows.ts';

/** An event that the Event Receiver's rules accept now, ready for the stream. */
export interface Candidate {
  row: QuarantinedRow;
  /** Position in the rejected batch. */
  index: number;
  /** In lower case. */
  eventId: string;
  skewMs: number;
  /** The sender's own text. */
  sentAt: string | undefined;
  /** End of its stream line (schemas/envelope.ts). */
  lineEnd: string;
}

/** A row or event of a body that stays in the quarantine. */
export interface KeptEvent {
  row: QuarantinedRow;
  index: number | null;
  /** `refused`: rejected again, with a new code; `skipped`: cannot be judged. */
  outcome: 'refused' | 'skipped';
  code: string;
  message: string;
}

export interface JudgeOptions {
  judge: Judge;
  fix: Fix | undefined;
  /** Accept events that were older than LIMITS.pastDays at receipt. */
  acceptOld: boolean;
  /** Give events without a valid id one that is derived from their place. */
  newIds: boolean;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/**
 * Judge a row again by the Event Receiver's rules, as of its receipt.
 * So an event that was too old or in the future is so still. A row of a whole body may become several events.
 */
export function judgeAgain(row: QuarantinedRow, options: JudgeOptions): { candidates: Candidate[]; kept: KeptEvent[] } {
  const skipped = (message: string): { candidates: Candidate[]; kept: KeptEvent[] } => ({
    candidates: [],
    kept: [{ row, index: row.index, outcome: 'skipped', code: row.code, message }],
  });
  if (row.code === 'message_malformed') {
    return skipped(
      `${PROCESSOR_CODES.message_malformed} It is no event, so it cannot be judged: send its events again with a key`,
    );
  }
  const fixed = applyFix(row, options.fix);
  if ('fault' in fixed) return skipped(fixed.fault);
  if (row.index === null && !row.code.startsWith('body_')) return skipped('its position in the batch is unknown');
  if (row.index === null) return judgeBody(row, fixed.value, options);
  const original = eventIdOf(parsed(row.raw));
  const id = eventIdOf(fixed.value);
  if (original !== undefined && id !== original) {
    return skipped('the fix changes eventId, which identifies the event: keep it');
  }
  if (original === undefined && id !== undefined) {
    return skipped('the fix creates an eventId: use --new-ids instead, which creates the same one each time');
  }
  const sentAt = row.sentAt ?? undefined;
  return judgeEvents(row, { events: [fixed.value], indexes: [row.index], sentAt }, options);
}

function judgeBody(
  row: QuarantinedRow,
  value: unknown,
  options: JudgeOptions,
): { candidates: Candidate[]; kept: KeptEvent[] } {
  try {
    const shape = checkShape(parseBody({ text: rawJson(value), damaged: false }));
    const events = shape.exactEvents();
    const { sentAt } = shape;
    return judgeEvents(row, { events, indexes: events.map((_, index) => index), sentAt }, options);
  } catch (error) {
    if (!(error instanceof ReceiverError)) throw error;
    return {
      candidates: [],
      kept: [{ row, index: null, outcome: 'refused', code: error.code, message: error.message }],
    };
  }
}

function judgeEvents(
  row: QuarantinedRow,
  batch: { events: readonly unknown[]; indexes: readonly number[]; sentAt: string | undefined },
  { judge, acceptOld, newIds }: JudgeOptions,
): { candidates: Candidate[]; kept: KeptEvent[] } {
  const { sentAt, indexes } = batch;
  const receivedAtMs = Date.parse(row.receivedAt);
  const skewMs = clockSkewMs(sentAt, receivedAtMs);
  const candidates: Candidate[] = [];
  const kept: KeptEvent[] = [];
  for (const [at, given] of batch.events.entries()) {
    const index = indexes[at]!;
    const event = newIds ? withEventId(given, `${row.receiptId}/${index}`) : given;
    const { lineEnds, rejected } = judge.judge({
      events: [event],
      indexes: [index],
      keyKind: row.keyKind ?? undefined,
      receivedAtMs,
      skewMs,
      acceptOld,
    });
    for (const { code, message } of rejected) kept.push({ row, index, outcome: 'refused', code, message });
    for (const lineEnd of lineEnds) {
      candidates.push({ row, index, eventId: eventIdOf(event)!, skewMs, sentAt, lineEnd });
    }
  }
  return { candidates, kept };
}

function withEventId(event: unknown, origin: string): unknown {
  if (typeof event !== 'object' || event === null || Array.isArray(event) || eventIdOf(event)) return event;
  return { ...event, eventId: derivedId(origin) };
}

/** Derive a UUID of version 8 (RFC 9562 §5.8) from a hash. */
export function derivedId(origin: string): string {
  const bytes = createHash('sha256').update(`spor redrive ${origin}`).digest().subarray(0, 16);
  bytes[6] = 0x80 | (bytes[6]! & 0x0f);
  bytes[8] = 0x80 | (bytes[8]! & 0x3f);
  const hex = bytes.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

/** Event id in lower case; undefined if it is invalid. */
function eventIdOf(event: unknown): string | undefined {
  const { eventId } = (event ?? {}) as { eventId?: unknown };
  return typeof eventId === 'string' && UUID.test(eventId) ? eventId.toLowerCase() : undefined;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

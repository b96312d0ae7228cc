import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs';
import type { Verdict } from '../../schemas/envelope.ts';
import { createLedger, type Ledger } from '../load/ledger.ts';

/** The person of an event. */
export interface Visitor {
  anonymousId: string;
  userId?: string;
}

/** A rejected event. `heardMs` is the time of the last answer, in milliseconds since 1970. */
export interface Refused {
  tenantId: string;
  code: Verdict['code'];
  heardMs: number;
}

/** A ledger that outlives this process, and records rejected events. */
export interface ChaosLedger extends Ledger {
  /** Events that a verdict rejected, by id. */
  readonly refusedIds: ReadonlyMap<string, Refused>;
  /** Valid events without an answer, with their tenants by id. */
  readonly unknownIds: ReadonlyMap<string, string>;
  /** All sent events, with their tenants by id. */
  readonly sentIds: ReadonlyMap<string, string>;
  /** Invalid events that were sent, with the expected codes by id. */
  readonly badIds: ReadonlyMap<string, string>;
  /** Persons of sent events, by event id. */
  readonly visitorOf: ReadonlyMap<string, Visitor>;
  /** Times of first acknowledgements by id, in milliseconds since 1970. */
  readonly acknowledgedMs: ReadonlyMap<string, number>;
  /** Times of last acknowledgements by id; resends have their own. */
  readonly lastAcknowledgedMs: ReadonlyMap<string, number>;
  close: () => void;
}

/**
 * Opens a ledger on a file of JSON lines.
 *
 * A `send` line with a batch's event ids is on disk before the first byte is sent. `answer` and `gave up` follow. So
 * the file never knows less than the receiver.
 */
export function openLedgerFile(path: string): ChaosLedger {
  const file = openSync(path, 'a');
  const inner = createLedger();
  const refusedIds = new Map<string, Refused>();
  const unknownIds = new Map<string, string>();
  const sentIds = new Map<string, string>();
  const badIds = new Map<string, string>();
  const visitorOf = new Map<string, Visitor>();
  const acknowledgedMs = new Map<string, number>();
  const lastAcknowledgedMs = new Map<string, number>();
  const append = (line: Record<string, unknown>): void => {
    writeSync(file, `${JSON.stringify({ at: new Date().toISOString(), ...line })}\n`);
  };

  return {
    ...inner,
    get firstMs() {
      return inner.firstMs;
    },
    get lastMs() {
      return inner.lastMs;
    },
    refusedIds,
    unknownIds,
    sentIds,
    badIds,
    visitorOf,
    acknowledgedMs,
    lastAcknowledgedMs,
    sending(batch) {
      const { tenantId, segmentId, events } = batch;
      append({ send: events.map(({ eventId }) => eventId ?? null), tenantId, segmentId });
      fsyncSync(file);
      for (const { eventId, expected, json } of events) {
        if (eventId === undefined) continue;
        sentIds.set(eventId, tenantId);
        if (expected !== 'accepted') badIds.set(eventId, expected);
        const visitor = visitorIn(json);
        if (visitor) visitorOf.set(eventId, visitor);
      }
      inner.sending(batch);
    },
    answered(batch, answer, tookMs) {
      const heardMs = Date.now();
      append({
        answer: answer.status,
        receiptId: answer.receiptId,
        tenantId: batch.tenantId,
        rejected: answer.rejected,
      });
      for (const { index, code } of answer.rejected) {
        const eventId = index === null ? undefined : batch.events[index]?.eventId;
        if (eventId === undefined) continue;
        refusedIds.set(eventId, { tenantId: batch.tenantId, code, heardMs });
      }
      inner.answered(batch, answer, tookMs);
      for (const { eventId } of batch.events) {
        if (eventId === undefined || !inner.accepted.has(eventId)) continue;
        if (!acknowledgedMs.has(eventId)) acknowledgedMs.set(eventId, heardMs);
        lastAcknowledgedMs.set(eventId, heardMs);
      }
    },
    gaveUp(batch, reason) {
      append({ gaveUp: batch.events.map(({ eventId }) => eventId ?? null), tenantId: batch.tenantId, reason });
      for (const { eventId, expected } of batch.events) {
        if (eventId !== undefined && expected === 'accepted') unknownIds.set(eventId, batch.tenantId);
      }
      inner.gaveUp(batch, reason);
    },
    close: () => closeSync(file),
  };
}

/** The person in an event's JSON; the simulation's ids need no escapes. */
function visitorIn(json: string): Visitor | undefined {
  const anonymousId = /"anonymousId":"([^"\\]+)"/.exec(json)?.[1];
  const userId = /"userId":"([^"\\]+)"/.exec(json)?.[1];
  return anonymousId === undefined ? undefined : { anonymousId, ...(userId === undefined ? {} : { userId }) };
}

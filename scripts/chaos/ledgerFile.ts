import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs';
import type { Verdict } from '../../schemas/envelope.ts';
import { createLedger, type Ledger } from '../load/ledger.ts';

/** A ledger that outlives this process, and that remembers which events were refused. */
export interface ChaosLedger extends Ledger {
  /** Events that a verdict named, by id. */
  readonly refusedIds: ReadonlyMap<string, { tenantId: string; code: Verdict['code'] }>;
  /** Sound events whose answer never came, by id, with the tenant they were sent for. */
  readonly unknownIds: ReadonlyMap<string, string>;
  /** Every event ever sent, by id, with the tenant it was sent for. */
  readonly sentIds: ReadonlyMap<string, string>;
  /** When the answer was heard by which an event was acknowledged, by id, in milliseconds since 1970. */
  readonly acknowledgedMs: ReadonlyMap<string, number>;
  close: () => void;
}

/**
 * Opens a ledger on a file of JSON lines: `send` with the event ids of a batch, on disk before its first byte is sent;
 * `answer` and `gave up` when that is known. So the file never knows less than the receiver was told.
 */
export function openLedgerFile(path: string): ChaosLedger {
  const file = openSync(path, 'a');
  const inner = createLedger();
  const refusedIds = new Map<string, { tenantId: string; code: Verdict['code'] }>();
  const unknownIds = new Map<string, string>();
  const sentIds = new Map<string, string>();
  const acknowledgedMs = new Map<string, number>();
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
    acknowledgedMs,
    sending(batch) {
      const { tenantId, segmentId, events } = batch;
      append({ send: events.map(({ eventId }) => eventId ?? null), tenantId, segmentId });
      fsyncSync(file);
      for (const { eventId } of events) if (eventId !== undefined) sentIds.set(eventId, tenantId);
      inner.sending(batch);
    },
    answered(batch, answer, tookMs) {
      append({
        answer: answer.status,
        receiptId: answer.receiptId,
        tenantId: batch.tenantId,
        rejected: answer.rejected,
      });
      for (const { index, code } of answer.rejected) {
        const eventId = index === null ? undefined : batch.events[index]?.eventId;
        if (eventId !== undefined) refusedIds.set(eventId, { tenantId: batch.tenantId, code });
      }
      inner.answered(batch, answer, tookMs);
      const heardMs = Date.now();
      for (const { eventId } of batch.events) {
        if (eventId === undefined || !inner.accepted.has(eventId) || acknowledgedMs.has(eventId)) continue;
        acknowledgedMs.set(eventId, heardMs);
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

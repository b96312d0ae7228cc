import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs';
import type { Verdict } from '../../schemas/envelope.ts';
import { createLedger, type Ledger } from '../load/ledger.ts';

/** A ledger that outlives this process, and records rejected events. */
export interface ChaosLedger extends Ledger {
  /** Events that a verdict rejected, by id. */
  readonly refusedIds: ReadonlyMap<string, { tenantId: string; code: Verdict['code'] }>;
  /** Valid events without an answer, with their tenants by id. */
  readonly unknownIds: ReadonlyMap<string, string>;
  /** All sent events, with their tenants by id. */
  readonly sentIds: ReadonlyMap<string, string>;
  /** Times of acknowledgements by id, in milliseconds since 1970. */
  readonly acknowledgedMs: ReadonlyMap<string, number>;
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

import type { Verdict } from '../../schemas/envelope.ts';
import type { ShopEvent } from '../shop/session.ts';
import { createLatencies, type Latencies } from './latencies.ts';

/** Events of one POST, with one key. */
export interface SentBatch {
  tenantId: string;
  segmentId: string;
  /** Kind of the key; absent: a page's. */
  keyKind?: 'server';
  events: ShopEvent[];
}

/** The Event Receiver's answer to a batch. */
export interface SendAnswer {
  /** 202, or 400 if every event was rejected. */
  status: number;
  receiptId?: string;
  /** Number of accepted events in the answer. */
  accepted: number;
  rejected: Verdict[];
}

/** An acknowledged event, with its tenant. */
interface Acknowledged {
  tenantId: string;
  receiptId: string;
}

/** A verdict that the simulation did not expect. */
interface Surprise {
  eventId: string | undefined;
  expected: string;
  got: string;
  message: string;
}

const MAX_SURPRISES = 100;

/**
 * Sent events with their outcomes.
 *
 * An event is `accepted` if a 202 counts it, and `refused` if a verdict names it. Events of batches given up are
 * `unknown`, because they may be stored without an answer.
 */
export interface Ledger {
  readonly accepted: ReadonlyMap<string, Acknowledged>;
  readonly unknown: ReadonlySet<string>;
  /** Number of rejected events by tenant and code. */
  readonly refused: ReadonlyMap<string, ReadonlyMap<string, number>>;
  readonly surprises: readonly Surprise[];
  readonly counts: {
    sent: number;
    accepted: number;
    refused: number;
    unknown: number;
    surprising: number;
    posts: number;
    resends: number;
  };
  /** Times from a POST's first byte to its 202 or 400. */
  readonly latencies: Latencies;
  /** Times of the first POST and the last answer, in Unix milliseconds. */
  readonly firstMs: number | undefined;
  readonly lastMs: number | undefined;

  sending: (batch: SentBatch) => void;
  resending: () => void;
  answered: (batch: SentBatch, answer: SendAnswer, tookMs: number) => void;
  gaveUp: (batch: SentBatch, reason: string) => void;
  /** Reasons why batches were given up, with their numbers. */
  readonly failures: ReadonlyMap<string, number>;
}

export function createLedger(now: () => number = Date.now): Ledger {
  const accepted = new Map<string, Acknowledged>();
  const unknown = new Set<string>();
  const refused = new Map<string, Map<string, number>>();
  const failures = new Map<string, number>();
  const surprises: Surprise[] = [];
  const counts = { sent: 0, accepted: 0, refused: 0, unknown: 0, surprising: 0, posts: 0, resends: 0 };
  const latencies = createLatencies();
  let firstMs: number | undefined;
  let lastMs: number | undefined;

  const surprise = (found: Surprise): void => {
    counts.surprising++;
    if (surprises.length < MAX_SURPRISES) surprises.push(found);
  };
  const judge = (event: ShopEvent, verdict: Verdict | undefined): void => {
    const got = verdict?.code ?? 'accepted';
    if (got === event.expected) return;
    surprise({ eventId: event.eventId, expected: event.expected, got, message: verdict?.message ?? 'accepted' });
  };

  return {
    accepted,
    unknown,
    refused,
    surprises,
    counts,
    latencies,
    failures,
    get firstMs() {
      return firstMs;
    },
    get lastMs() {
      return lastMs;
    },
    sending(batch) {
      firstMs ??= now();
      counts.posts++;
      counts.sent += batch.events.length;
    },
    resending() {
      counts.resends++;
    },
    answered(batch, answer, tookMs) {
      lastMs = now();
      latencies.add(tookMs);
      const known: Acknowledged = { tenantId: batch.tenantId, receiptId: answer.receiptId ?? '' };
      const rest = batch.events.length - answer.rejected.length;
      if (answer.accepted !== rest) {
        const got = `${answer.accepted} of ${batch.events.length} accepted, ${answer.rejected.length} rejected`;
        surprise({
          eventId: batch.events[0]?.eventId,
          expected: `${rest} accepted`,
          got,
          message: 'the counts do not add up',
        });
      }
      const verdicts = new Map(answer.rejected.map((verdict) => [verdict.index, verdict]));
      for (const [index, event] of batch.events.entries()) {
        const verdict = verdicts.get(index);
        judge(event, verdict);
        if (verdict) {
          counts.refused++;
          const byCode = refused.get(batch.tenantId) ?? new Map<string, number>();
          refused.set(batch.tenantId, byCode.set(verdict.code, (byCode.get(verdict.code) ?? 0) + 1));
        } else {
          counts.accepted++;
          if (event.eventId !== undefined) accepted.set(event.eventId, known);
        }
      }
    },
    gaveUp(batch, reason) {
      lastMs = now();
      counts.unknown += batch.events.length;
      failures.set(reason, (failures.get(reason) ?? 0) + 1);
      for (const { eventId } of batch.events) if (eventId !== undefined) unknown.add(eventId);
    },
  };
}

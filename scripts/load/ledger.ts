import type { Verdict } from '../../schemas/envelope.ts';
import type { ShopEvent } from '../shop/session.ts';
import { createLatencies, type Latencies } from './latencies.ts';

/** Events of one POST: one key, so one tenant and segment. */
export interface SentBatch {
  tenantId: string;
  segmentId: string;
  events: ShopEvent[];
}

/** What the Event Receiver said to a batch. */
export interface SendAnswer {
  /** 202, or 400 where every event was refused. */
  status: number;
  receiptId?: string;
  /** Events it says it has taken. */
  accepted: number;
  rejected: Verdict[];
}

/** An acknowledged event: where it must be found. */
interface Acknowledged {
  tenantId: string;
  receiptId: string;
}

/** A verdict other than the simulation's own. */
interface Surprise {
  eventId: string | undefined;
  expected: string;
  got: string;
  message: string;
}

const MAX_SURPRISES = 100;

/**
 * What was sent and what was promised for it. An event is `accepted` when a 202 counted it, `refused` when a verdict named
 * it; events of batches given up are `unknown`: they may have been stored before their answer was lost.
 */
export interface Ledger {
  readonly accepted: ReadonlyMap<string, Acknowledged>;
  readonly unknown: ReadonlySet<string>;
  /** Number of refused events by tenant and code. */
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
  /** From the first byte of a POST to its answer, of POSTs that were answered by 202 or 400. */
  readonly latencies: Latencies;
  /** When the first POST began and the last answer came, in Unix milliseconds. */
  readonly firstMs: number | undefined;
  readonly lastMs: number | undefined;

  sending: (batch: SentBatch) => void;
  resending: () => void;
  answered: (batch: SentBatch, answer: SendAnswer, tookMs: number) => void;
  gaveUp: (batch: SentBatch, reason: string) => void;
  /** Why batches were given up, with how many. */
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

import { literal } from '../../lake/duckdb/sqlText.ts';
import { delay } from '../../runtime/retry.ts';
import type { SentBatch } from '../load/ledger.ts';
import type { QueryClient } from '../queryClient.ts';

export interface Freshness {
  /** To be told of each 202. */
  accepted: (batch: SentBatch, atMs: number) => void;
  /** Waits until every sample has been seen, or the time is up. @throws Error when asking failed */
  settle: (withinMs: number, signal: AbortSignal) => Promise<void>;
  /** Ends the asking. */
  stop: () => Promise<void>;
  /** Milliseconds from reading the 202 to an answer that holds the event, sorted. */
  readonly measured: readonly number[];
  /** Samples that no answer held in time. */
  readonly unseen: number;
}

const SAMPLE_EVERY_MS = 40;
const MOST_ASKED_AT_ONCE = 200;
/** Between rounds of asking, so that the asking does not slow down what it measures. */
const PAUSE_MS = 50;

/**
 * Measures how long an acknowledged event takes to be queryable, as a user would: of the accepted events one is sampled
 * every 40 ms, and the query server is asked for all samples not seen yet, over and over. The time of an event ends when
 * the first answer that holds it has been read, so that it includes the asking.
 */
export function measureFreshness(options: { client: QueryClient; tokenOf: (tenantId: string) => string }): Freshness {
  const waiting = new Map<string, Map<string, number>>();
  const measured: number[] = [];
  const ended = new AbortController();
  let lastSampleMs = 0;
  let failure: unknown;
  const asking = ask().catch((error: unknown) => void (failure = error));

  async function ask(): Promise<void> {
    while (!ended.signal.aborted) {
      for (const [tenantId, events] of waiting) if (events.size > 0) await askFor(tenantId, events);
      await delay(PAUSE_MS, ended.signal);
    }
  }

  async function askFor(tenantId: string, events: Map<string, number>): Promise<void> {
    const ids = [...events.keys()].map(literal).join(', ');
    const { rows } = await options.client.ask(
      options.tokenOf(tenantId),
      `select event_id from events where event_id in (${ids})`,
    );
    const nowMs = Date.now();
    for (const [id] of rows) {
      const acceptedMs = events.get(String(id));
      if (acceptedMs === undefined) continue; // stored twice: the check after the run tells
      measured.push(nowMs - acceptedMs);
      events.delete(String(id));
    }
  }

  return {
    measured,
    get unseen() {
      return [...waiting.values()].reduce((sum, events) => sum + events.size, 0);
    },
    accepted(batch, atMs) {
      const id = batch.events.findLast(({ expected }) => expected === 'accepted')?.eventId;
      const events = waiting.get(batch.tenantId) ?? new Map<string, number>();
      waiting.set(batch.tenantId, events);
      if (id === undefined || atMs - lastSampleMs < SAMPLE_EVERY_MS || events.size >= MOST_ASKED_AT_ONCE) return;
      lastSampleMs = atMs;
      events.set(id, atMs);
    },
    async settle(withinMs, signal) {
      const deadline = Date.now() + withinMs;
      while (this.unseen > 0 && failure === undefined && Date.now() < deadline && !signal.aborted) {
        await delay(PAUSE_MS, signal);
      }
      if (failure !== undefined) throw failure;
      measured.sort((a, b) => a - b);
    },
    async stop() {
      ended.abort();
      await asking;
    },
  };
}

/** The value below which a part `q` of sorted numbers lies (nearest rank); 0 of none. */
export function quantile(sorted: readonly number[], q: number): number {
  return sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? 0;
}

import { literal } from '../../lake/duckdb/sqlText.ts';
import { delay } from '../../runtime/retry.ts';
import type { SentBatch } from '../load/ledger.ts';
import type { QueryClient } from '../queryClient.ts';

export interface Freshness {
  /** Call for each 202. */
  accepted: (batch: SentBatch, atMs: number) => void;
  /** Waits until every sample was seen, or the time is up. @throws Error if a question failed */
  settle: (withinMs: number, signal: AbortSignal) => Promise<void>;
  /** Stops the questions. */
  stop: () => Promise<void>;
  /** Milliseconds from each 202 to an answer with the event, sorted. */
  readonly measured: readonly number[];
  /** Number of samples that no answer held in time. */
  readonly unseen: number;
}

const SAMPLE_EVERY_MS = 40;
const MOST_ASKED_AT_ONCE = 200;
/** Pause between questions, which would otherwise slow down the measured system. */
const PAUSE_MS = 50;

/**
 * Measures the time until an acknowledged event is queryable.
 *
 * An accepted event is sampled every 40 ms, and the query server is asked for all unseen samples again and again. The
 * time of an event ends when the first answer with it has been read, so the question is included.
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

/**
 * The value at quantile `q` of sorted numbers; 0 without numbers.
 *
 * The rank is the nearest one.
 */
export function quantile(sorted: readonly number[], q: number): number {
  return sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? 0;
}

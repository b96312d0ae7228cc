import { delay } from '../../runtime/retry.ts';
import type { ShopEvent } from '../shop/session.ts';
import type { SentBatch } from './ledger.ts';
import type { Sender } from './sender.ts';

export interface PlayOptions {
  events: Iterable<ShopEvent>;
  sender: Sender;
  /** Most events in a POST. */
  batchEvents: number;
  /** Most POSTs under way at once; a slow receiver slows the play. */
  connections: number;
  /**
   * Real start of simulated time `startMs`, and simulated milliseconds per real one.
   *
   * Absent: as fast as the receiver answers.
   */
  clock?: { startMs: number; speed: number };
  /** Time after which an incomplete batch is sent. */
  lingerMs?: number;
  /** Ends the play early; POSTs under way are still awaited. */
  signal?: AbortSignal;
}

const TICK_MS = 10;

/**
 * Plays events to the receiver at their own times.
 *
 * Resolves when every batch is acknowledged, rejected or given up.
 */
export async function play(options: PlayOptions): Promise<void> {
  const { clock, sender, signal, lingerMs = 100 } = options;
  const open = new Map<string, { batch: SentBatch; sinceMs: number }>();
  const underWay = new Set<Promise<void>>();
  const startedMs = performance.now();

  const dispatch = async (key: string): Promise<void> => {
    const { batch } = open.get(key)!;
    open.delete(key);
    while (underWay.size >= options.connections) await Promise.race(underWay);
    const sent = sender.send(batch).finally(() => underWay.delete(sent));
    underWay.add(sent);
  };

  for (const event of options.events) {
    if (clock) await until(event.atMs, clock);
    if (signal?.aborted) break;
    const key = `${event.tenantId}/${event.segmentId}/${event.keyKind ?? ''}`;
    const held = open.get(key) ?? { batch: newBatch(event), sinceMs: performance.now() };
    open.set(key, held);
    held.batch.events.push(event);
    if (held.batch.events.length >= options.batchEvents) await dispatch(key);
  }
  for (const key of open.keys()) await dispatch(key);
  await Promise.all(underWay);

  /** Waits for an event's time, and sends batches meanwhile. */
  async function until(atMs: number, { startMs, speed }: { startMs: number; speed: number }): Promise<void> {
    const dueMs = startedMs + (atMs - startMs) / speed;
    while (!signal?.aborted) {
      const nowMs = performance.now();
      for (const [key, { sinceMs }] of open) if (nowMs - sinceMs >= lingerMs) await dispatch(key);
      if (nowMs >= dueMs) return;
      await delay(Math.min(TICK_MS, dueMs - nowMs), signal);
    }
  }
}

function newBatch({ tenantId, segmentId, keyKind }: ShopEvent): SentBatch {
  return { tenantId, segmentId, ...(keyKind ? { keyKind } : {}), events: [] };
}

import { bodyOf, nextBatch } from './batcher.ts';
import type { Drop } from './drop.ts';
import type { Emitter } from './emitter.ts';
import type { Host, Timer } from './host.ts';
import type { Queue, Queued } from './queue.ts';
import { backoffMs, retryAfterMs, verdictOf, type Backoff } from './retry.ts';
import type { TabLock } from './tabLock.ts';
import type { Transport } from './transport.ts';

/*
 * States: idle (nothing queued) → waiting (a timer runs: the flush interval, a backoff, or a Retry-After) → sending (one
 * request at a time, batch after batch, under the tabs' lock) → idle, waiting, or stopped (401 or 403: for good). A page
 * that is leaving sends from any state but stopped, without the lock, as much as the browser lets outlive it.
 */

export interface Sender {
  /** An event was queued, or may lie there from an earlier page. */
  notice(): void;
  /** Sends now, also during a backoff, but not while the receiver asked to wait. */
  flush: () => Promise<void>;
  /** The page may be gone in a moment. */
  leave(): void;
  /** As `flush`; no timer starts a request from now on. */
  close(): Promise<void>;
}

export interface SenderParts {
  host: Host;
  random: () => number;
  clock: () => number;
  queue: Queue;
  transport: Transport;
  lock: TabLock;
  emit: Emitter['emit'];
  drop: Drop;
  settings: Backoff & {
    instrumentationKey: string;
    flushIntervalMs: number;
    maxBatchEvents: number;
    maxBatchBytes: number;
  };
}

/** Brings the queue's events to the receiver: the one place that removes an event after an answer. */
export function createSender(parts: SenderParts): Sender {
  const { host, random, clock, queue, transport, lock, emit, drop, settings } = parts;
  let timer: Timer | undefined;
  let failures = 0;
  /** The receiver asked to send nothing before; infinite once it refused the key. */
  let notBefore = 0;
  let closed = false;
  let running: Promise<void> | undefined;
  let next: Promise<void> | undefined;

  /** Flushes after `ms`; when that is negative, or once closed, not by itself. */
  const wake = (ms: number): void => {
    host.clearTimeout(timer as never);
    timer = ms >= 0 && !closed ? host.setTimeout(flush, ms) : undefined;
    (timer as Exclude<Timer, number> | undefined)?.unref?.(); // close() sends what waits when a Node process ends.
  };
  const batchOf = (maxBytes: number, strict?: boolean): Queued[] =>
    nextBatch(queue.items(), settings.maxBatchEvents, maxBytes, strict);

  /** Delivers a batch and its halves. @returns whether to send nothing more for now. */
  const deliver = async (batch: Queued[], last: boolean): Promise<boolean> => {
    const time = clock();
    queue.begin(batch, time);
    const { status, retryAfter, body } = await transport.post(bodyOf(batch, settings.instrumentationKey, time), last);
    for (const item of batch) item.busy = false;
    const verdict = verdictOf(status);
    let again = verdict === 'retry';
    if (verdict === 'split' && batch[1]) {
      const middle = (batch.length + 1) / 2; // slice cuts the fraction off
      return (await deliver(batch.slice(0, middle), last)) || deliver(batch.slice(middle), last);
    }
    const { code = `http_${status}`, message } = body;
    if (verdict !== 'done' && status >= 0 && notBefore < Infinity)
      emit('error', { code, message, status, retryable: again });
    if (verdict === 'stop') {
      console.error('spor', code, message); // oxlint-disable-line no-console -- a wrong key must not fail silently
      notBefore = Infinity;
      return (closed = true);
    }
    if (!again) {
      failures = 0;
      const eventIds: string[] = [];
      batch.forEach((item, index) => {
        const refusal = body.rejected?.find((one) => one.index === index);
        if (refusal?.retryable) {
          again = true;
          return;
        }
        queue.remove(item);
        if (refusal) drop('rejected', item, refusal);
        else if (verdict === 'done') eventIds.push(item.name.slice(1));
        else drop(verdict === 'split' ? 'too_large' : 'refused', item, { code, message });
      });
      if (eventIds[0]) emit('sent', { receiptId: body.receiptId, eventIds });
    }
    if (again) {
      const told = retryAfterMs(retryAfter, clock(), random(), settings);
      notBefore = clock() + told;
      wake(told || backoffMs(++failures, random(), settings));
    }
    return again;
  };

  const drain = async (): Promise<void> => {
    queue.refresh(clock());
    for (let batch; (batch = batchOf(settings.maxBatchBytes))[0];) {
      if (await deliver(batch, false)) return;
    }
  };

  const run = async (): Promise<void> => {
    const early = notBefore - clock() || -1;
    wake(early);
    if (early < 0 && (await lock.hold(drain))) wake(settings.flushIntervalMs);
  };

  /** Callers during a run share the one that follows it. */
  const flush = (): Promise<void> =>
    (next ??= Promise.resolve(running).then(() => {
      next = undefined;
      // oxlint-disable-next-line no-console -- nothing is known to reject, and then nothing else could tell
      return (running = run().catch(console.error));
    }));

  return {
    notice: () => {
      const batch = batchOf(settings.maxBatchBytes).length;
      const full = batch >= settings.maxBatchEvents || queue.items().length > batch;
      if (full && !failures) void flush();
      else if (!timer) wake(settings.flushIntervalMs);
    },
    flush,
    leave: () => {
      let batch;
      while (clock() >= notBefore && (batch = batchOf(Math.min(settings.maxBatchBytes, transport.room()), true))[0]) {
        void deliver(batch, true);
      }
      lock.release();
    },
    close: () => {
      closed = true;
      wake(-1);
      return flush();
    },
  };
}

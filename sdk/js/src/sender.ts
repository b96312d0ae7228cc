import { bodyOf, nextBatch } from './batcher.ts';
import type { Drop } from './drop.ts';
import type { Emitter } from './emitter.ts';
import type { Host, Timer } from './host.ts';
import type { Queue, Queued } from './queue.ts';
import { backoffMs, DONE, RETRY, retryAfterMs, SILENCE, SPLIT, STOP, verdictOf, type Backoff } from './retry.ts';
import type { TabLock } from './tabLock.ts';
import type { Transport } from './transport.ts';

/*
 * States of the sender:
 * - idle: the queue is empty. The next event starts waiting.
 * - waiting: a timer runs, for the flush interval, a backoff or a Retry-After. Then the sender is sending.
 * - sending: one request at a time, under the tabs' lock. Then the sender is idle, waiting or stopped.
 * - stopped: the receiver refused the key or the page's origin. This is final.
 *
 * A leaving page sends in every state but stopped. It takes no lock, and sends as much as may outlive the page.
 *
 * A host may end timers and requests without a word, such as a worker between two requests. So a timer that is overdue, and a
 * request without an end, count as gone.
 */

export interface Sender {
  /** Report a new event, or possible events of an earlier page. */
  notice(): void;
  /** Send now, even during a backoff, unless a `Retry-After` runs. */
  flush: () => Promise<void>;
  /** Send what the browser allows, because the page may end. */
  leave(): void;
  /** Send as `flush` does, and start no more timers. */
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

/** A request or timer this much over its time is gone. A request has 15 s. */
const STALE_MS = 30_000;
/** Silence never makes bodies smaller than this; a larger event goes alone. */
const LEAST_BYTES = 1000;

/**
 * Create the sender of the queue's events.
 *
 * Only the sender removes an event after an answer.
 */
export function createSender(parts: SenderParts): Sender {
  const { host, random, clock, queue, transport, lock, emit, drop, settings } = parts;
  let timer: Timer | undefined;
  /** Time when the timer runs. */
  let due = 0;
  /** Time of the latest request. */
  let active = 0;
  let failures = 0;
  /** Time of the next allowed request; infinite after a rejected key. */
  let notBefore = 0;
  /** Most bytes of the next body: halved after silence, because a proxy may cut large bodies. */
  let limit = settings.maxBatchBytes;
  let closed = false;
  let running: Promise<void> | undefined;
  let next: Promise<void> | undefined;

  /** Flush after `ms`. A negative time, or a closed sender, sets no timer. */
  const wake = (ms: number): void => {
    host.clearTimeout(timer as never);
    due = clock() + ms;
    timer = ms >= 0 && !closed ? host.setTimeout(flush, ms) : undefined;
    (timer as Exclude<Timer, number> | undefined)?.unref?.(); // close() sends the queue at the end of a Node process.
  };
  const batchOf = (maxBytes: number, strict?: boolean): Queued[] =>
    nextBatch(queue.items(), settings.maxBatchEvents, maxBytes, strict);

  /** Deliver a batch, or its halves. @returns true if no more requests may follow now. */
  const deliver = async (batch: Queued[], last: boolean): Promise<boolean> => {
    const { key } = batch[0]!;
    active = clock();
    queue.begin(batch, active);
    const text = bodyOf(batch, active);
    const { status, retryAfter, body } = await transport.post(text, key, last);
    for (const item of batch) item.busy = false;
    const verdict = verdictOf(status, body);
    const silence = verdict === SILENCE;
    let again = silence || verdict === RETRY;
    limit = Math.min(settings.maxBatchBytes, silence ? Math.max(text.length / 2, LEAST_BYTES) : limit * 2);
    if (verdict === SPLIT && batch[1]) {
      const middle = (batch.length + 1) / 2; // slice cuts the fraction off
      return (await deliver(batch.slice(0, middle), last)) || deliver(batch.slice(middle), last);
    }
    const code = silence && status ? `http_${status}` : body.code!;
    const { message } = body;
    if (verdict === STOP && key !== settings.instrumentationKey) {
      // The key has been rotated meanwhile, and its successor is this page's.
      for (const item of batch) item.key = settings.instrumentationKey;
      return false;
    }
    if (verdict !== DONE && notBefore < Infinity) emit('error', { code, message, status, retryable: again });
    if (verdict === STOP) {
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
        else if (verdict === DONE) eventIds.push(item.name.slice(1));
        else drop(verdict === SPLIT ? 'too_large' : 'refused', item, { code, message });
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
    for (let batch; (batch = batchOf(limit))[0];) {
      if (await deliver(batch, false)) return;
    }
  };

  const run = async (): Promise<void> => {
    active = clock();
    const early = notBefore - active || -1;
    wake(early);
    if (early < 0) await lock.hold(drain);
  };

  /** Calls during a run share one run after it. */
  const flush = (): Promise<void> => {
    if (running && clock() - active > STALE_MS) {
      running = next = undefined;
      for (const item of queue.items()) item.busy = false;
      lock.release();
    }
    return (next ??= Promise.resolve(running).then(() => {
      next = undefined;
      return (running = run()
        // oxlint-disable-next-line no-console -- a rejection is not expected, and would otherwise be lost
        .catch(console.error)
        .then(() => {
          running = undefined;
        }));
    }));
  };

  return {
    notice: () => {
      const batch = batchOf(settings.maxBatchBytes).length;
      const full = batch >= settings.maxBatchEvents || queue.items().length > batch;
      if (full && !failures) void flush();
      else if (!timer || clock() - due > STALE_MS) wake(settings.flushIntervalMs);
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

import { ReceiverError } from '../../schemas/errors.ts';
import { plainFailure } from '../answers.ts';
import type { ByteBudget } from '../byteBudget.ts';
import { Message, type Entry, type Failure } from './message.ts';
import type { Publisher, Published } from './publisher.ts';

export interface GroupCommitOptions {
  publisher: Publisher;
  budget: ByteBudget;
  shards: number;
  /** Limit of a message's payload, in bytes. The batch above it begins a new message. */
  messageBytes?: number;
  /** Monotonic, in milliseconds. */
  clock?: () => number;
  onPublished?: (facts: { batches: number; bytes: number; seconds: number; confirmed: boolean }) => void;
}

const MESSAGE_BYTES = 256 * 1024;
/** Limit of full messages that do not wait for an acknowledgement, which may be slow. */
const MAX_IN_FLIGHT = 8;
const SWEEP_MS = 100;
const RETRY_AFTER_SECONDS = 1;
/** For a fault that a person ends. */
const SET_BACK_SECONDS = 10;

/** Messages of one shard. */
interface Lane {
  /** By subject, in the order of opening. */
  open: Map<string, Message>;
  /** By subject, each in order. The first subject is next. */
  full: Map<string, Message[]>;
  inFlight: number;
  /** Number of messages acknowledged or failed so far. */
  done: number;
}

/**
 * Self-clocking group commit of batches into stream messages.
 *
 * A batch joins the open message of its subject. At the end of the event loop's turn, a lane with nothing in flight publishes
 * its messages. A lane with messages in flight keeps its open ones until those are acknowledged. So an idle receiver adds no
 * wait, and a busy one shares each fsync among the batches that arrived during the last. A message over `messageBytes` is
 * full, and is published without a wait.
 *
 * A subject with many full messages keeps its lane busy, and shuts out nobody. An open message waits for few of those in
 * flight (MAX_IN_FLIGHT), and full ones go subject by subject in turn.
 *
 * Every batch ends in exactly one call of its `settle`: acknowledged, or not confirmed in time.
 */
export class GroupCommit {
  readonly #publisher: Publisher;
  readonly #budget: ByteBudget;
  readonly #messageBytes: number;
  readonly #clock: () => number;
  readonly #onPublished: GroupCommitOptions['onPublished'];
  readonly #lanes: Lane[];
  readonly #dirty = new Set<Lane>();
  readonly #sweep: NodeJS.Timeout;
  #scheduled = false;
  #waiting = 0;
  #idle: (() => void)[] = [];

  constructor({ publisher, budget, shards, messageBytes, clock, onPublished }: GroupCommitOptions) {
    this.#publisher = publisher;
    this.#budget = budget;
    this.#messageBytes = Math.min(messageBytes ?? MESSAGE_BYTES, publisher.maxPayloadBytes);
    this.#clock = clock ?? (() => performance.now());
    this.#onPublished = onPublished;
    this.#lanes = Array.from({ length: shards }, () => ({ open: new Map(), full: new Map(), inFlight: 0, done: 0 }));
    this.#sweep = setInterval(() => this.#failOverdue(), SWEEP_MS);
    this.#sweep.unref();
  }

  /** Number of batches not yet settled. */
  get waiting(): number {
    return this.#waiting;
  }

  /**
   * Add a batch to its shard's open message.
   * @throws ReceiverError stream_set_back, stream_unavailable, overloaded, body_too_large; the batch is not added then
   */
  submit(entry: Entry): void {
    if (this.#publisher.setBack?.(entry.shard) !== undefined) throw plainFailure('stream_set_back', SET_BACK_SECONDS);
    const reason = this.#publisher.unavailable(entry.shard);
    if (reason !== undefined) {
      throw new ReceiverError(
        'stream_unavailable',
        `The event stream cannot be written now: ${reason}. Send again later.`,
        {
          retryAfterSeconds: RETRY_AFTER_SECONDS,
        },
      );
    }
    const lane = this.#lanes[entry.shard]!;
    const dueAt = lane.done + Math.min(lane.inFlight, MAX_IN_FLIGHT);
    let message = lane.open.get(entry.subject) ?? new Message(entry.shard, entry.subject, dueAt);
    let measured = message.measure(entry);
    if (message.waiters.length > 0 && message.bytes + measured.bytes > this.#messageBytes) {
      message = new Message(entry.shard, entry.subject, dueAt);
      measured = message.measure(entry);
    }
    if (message.bytes + measured.bytes > this.#publisher.maxPayloadBytes) {
      throw new ReceiverError(
        'body_too_large',
        `The batch takes ${message.bytes + measured.bytes} bytes in the stream; at most ${this.#publisher.maxPayloadBytes} fit. Send smaller batches.`,
      );
    }
    if (!this.#budget.take(measured.bytes, message.tenantId)) {
      throw new ReceiverError('overloaded', 'Too many writes wait for the stream. Send again later.', {
        retryAfterSeconds: RETRY_AFTER_SECONDS,
      });
    }
    message.add(entry, measured);
    this.#waiting++;
    const before = lane.open.get(entry.subject);
    if (before !== message) {
      if (before) addFull(lane.full, before);
      lane.open.delete(entry.subject); // so that the map keeps the order of opening
      lane.open.set(entry.subject, message);
    }
    this.#schedule(lane);
  }

  /** Wait until every batch is settled. */
  drained(): Promise<void> {
    return this.#waiting === 0 ? Promise.resolve() : new Promise((resolve) => this.#idle.push(resolve));
  }

  /** Stop the timer of deadlines; no batch may follow. */
  close(): void {
    clearInterval(this.#sweep);
  }

  #schedule(lane: Lane): void {
    this.#dirty.add(lane);
    if (this.#scheduled) return;
    this.#scheduled = true;
    // The check phase runs after all readable sockets of this turn, so that their batches share the message.
    setImmediate(() => {
      this.#scheduled = false;
      const lanes = [...this.#dirty];
      this.#dirty.clear();
      for (const dirty of lanes) this.#flush(dirty);
    });
  }

  #flush(lane: Lane): void {
    const ready = takeInTurn(lane.full, lane.inFlight === 0 ? Infinity : MAX_IN_FLIGHT - lane.inFlight);
    for (const message of lane.open.values()) {
      if (message.dueAt > lane.done) break;
      // Full messages of a subject are older than its open one, so the stream keeps the order of receipt.
      if (lane.full.has(message.subject)) continue;
      lane.open.delete(message.subject);
      ready.push(message);
    }
    if (ready.length === 0) return;
    lane.inFlight += ready.length;
    const sentAtMs = this.#clock();
    this.#publisher.publish(
      ready.map((message) => ({
        shard: message.shard,
        subject: message.subject,
        payload: message.takePayload(),
        events: message.events,
        deadlineMs: message.deadlineMs,
        done: (result) => {
          lane.inFlight--;
          lane.done++;
          const seconds = (this.#clock() - sentAtMs) / 1000;
          const confirmed = !('failed' in result);
          this.#onPublished?.({ batches: message.waiters.length, bytes: message.bytes, seconds, confirmed });
          this.#settle(message, result);
          if (lane.open.size > 0 || lane.full.size > 0) this.#schedule(lane);
        },
      })),
    );
  }

  #settle(message: Message, result: Published | Failure): void {
    this.#budget.release(message.batchBytes, message.tenantId);
    this.#waiting -= message.waiters.length;
    message.waiters.forEach(({ settle }, batch) => settle('failed' in result ? result : { ...result, batch }));
    if (this.#waiting > 0) return;
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  /** Settle unpublished messages past their deadline. The publisher settles those in flight. */
  #failOverdue(): void {
    const nowMs = this.#clock();
    const overdue = (message: Message): boolean => message.deadlineMs <= nowMs;
    for (const lane of this.#lanes) {
      const full = [...lane.full.values()].flat();
      const late = [...full, ...lane.open.values()].filter(overdue);
      if (late.length === 0) continue;
      lane.full.clear();
      for (const message of full) if (!overdue(message)) addFull(lane.full, message);
      for (const message of late) if (lane.open.get(message.subject) === message) lane.open.delete(message.subject);
      for (const message of late) this.#settle(message, { failed: 'the write was not confirmed in time' });
    }
  }
}

function addFull(full: Lane['full'], message: Message): void {
  const before = full.get(message.subject);
  if (before) before.push(message);
  else full.set(message.subject, [message]);
}

/** Takes up to `count` messages, one of each subject in turn. */
function takeInTurn(full: Lane['full'], count: number): Message[] {
  const taken: Message[] = [];
  while (taken.length < count && full.size > 0) {
    const [subject, messages] = full.entries().next().value!;
    full.delete(subject);
    taken.push(messages.shift()!);
    if (messages.length > 0) full.set(subject, messages); // behind the others
  }
  return taken;
}

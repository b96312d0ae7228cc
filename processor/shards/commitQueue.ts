import type { Stored, Window } from '../../lake/window/window.ts';
import { sourceOf, type StreamMessage } from '../../stream/message.ts';
import { CommitBudget, commitAgeMs, type CommitPolicy } from './commitBudget.ts';
import { HeldMessages, type HeldTenant, type Oldest, type Place } from './heldMessages.ts';

/** Share of the least age from which a tenant is committed together with one that has reached it. */
const NEARLY = 0.75;

/** What is read of a shard and not committed. */
export interface Uncommitted {
  /** Last message read. */
  read: Place;
  messages: number;
  oldest: Oldest | undefined;
  /** Age at which tenants are committed now. */
  ageMs: number;
}

export interface CommitQueueOptions {
  policy: CommitPolicy;
  /** Position at which reading starts. */
  start: Place;
  newWindow: () => Window;
  /** Positions of a tenant's tables, which are open. */
  stored: (tenantId: string) => Stored;
}

/**
 * The messages of one shard between the stream and the flush.
 *
 * A message waits until its tenant is due: by bytes, by age, or because all that waits takes too much memory. Then
 * everything of the tenant goes into the open window, and so does what comes while the window is open. So a tenant's
 * messages are in one window or in several in stream order, and each window holds all of the tenant's up to its last
 * message.
 *
 * The committed position is the one before the oldest message that waits, or is in a window not committed yet. What is
 * held is nowhere but in the stream: after a death the next owner reads it again.
 */
export class CommitQueue {
  readonly #options: CommitQueueOptions;
  readonly #held = new HeldMessages();
  readonly #budget: CommitBudget;
  /** Tenants of the open window. */
  readonly #joined = new Set<string>();
  /** Windows handed over and not committed, in order. */
  readonly #flying: { oldest: Oldest; messages: number }[] = [];
  #window: Window;
  #oldestInWindow: Oldest | undefined;
  #read: Place;

  constructor(options: CommitQueueOptions) {
    this.#options = options;
    this.#budget = new CommitBudget(options.policy);
    this.#read = options.start;
    this.#window = options.newWindow();
  }

  /** The open window. */
  get window(): Window {
    return this.#window;
  }

  /** Age at which tenants are committed now. */
  get ageMs(): number {
    return commitAgeMs(this.#held.tenants, this.#options.policy);
  }

  /** Everything up to here is committed. */
  get committed(): Place {
    return this.#oldest()?.before ?? this.#read;
  }

  /** As `committed`, once the first window handed over is. */
  get committedNext(): Place {
    return this.#oldest(this.#flying.slice(1))?.before ?? this.#read;
  }

  get uncommitted(): Uncommitted {
    const flying = this.#flying.reduce((sum, { messages }) => sum + messages, 0);
    const messages = this.#held.messages + this.#window.messages + flying;
    return { read: this.#read, messages, oldest: this.#oldest(), ageMs: this.ageMs };
  }

  /** Milliseconds until the window or a waiting tenant is due by age; undefined while there is neither. */
  leftMs(nowMs = performance.now()): number | undefined {
    const heldMs = this.#heldLeftMs(nowMs);
    const windowMs = this.#window.leftMs(nowMs);
    return heldMs === undefined || windowMs === undefined ? (heldMs ?? windowMs) : Math.min(heldMs, windowMs);
  }

  /** Adds the next message of the stream. */
  add(message: StreamMessage, nowMs = performance.now()): void {
    const { policy } = this.#options;
    const before = this.#read;
    this.#read = { sequence: message.sequence, timeMs: message.timeMs };
    const { tenantId } = sourceOf(message);
    if (this.#joined.has(tenantId)) return this.#window.add(message, this.#options.stored(tenantId), nowMs);
    const held = this.#held.add(message, before, nowMs);
    if (held.bytes >= policy.bytes) this.#join(held);
    else if (this.#held.bytes > policy.heldBytes) this.#joinAll(this.#held.beyond(policy.heldBytes));
  }

  /** Moves tenants that are due by age into the window. */
  joinDue(nowMs = performance.now()): void {
    const { policy } = this.#options;
    const { first, tenants } = this.#held;
    if (!first || nowMs - first.sinceMs < policy.leastAgeMs) return;
    const due = this.#held.oldest(this.#budget.turn(tenants, nowMs), nowMs - NEARLY * policy.leastAgeMs);
    this.#budget.spend(due.length);
    this.#joinAll(due);
    this.#joinAll(this.#held.oldest(Infinity, nowMs - policy.mostAgeMs));
  }

  /** Moves every tenant into the window. */
  joinEverything(): void {
    this.#joinAll(this.#held.all());
  }

  /** Opens a new window. Returns the one before, which must be flushed next. */
  handOver(): Window {
    const window = this.#window;
    // Resends count from the oldest message that waits, so that this time never goes back.
    window.countFrom(this.#oldest()!.storedMs);
    this.#flying.push({ oldest: this.#oldestInWindow!, messages: window.messages });
    this.#joined.clear();
    this.#oldestInWindow = undefined;
    this.#window = this.#options.newWindow();
    return window;
  }

  /**
   * Marks the first window handed over as committed.
   * @returns the committed position, and the number of messages committed above it
   */
  windowCommitted(): { through: Place; ahead: number } {
    this.#flying.shift();
    const { committed: through } = this;
    return { through, ahead: Math.max(0, this.#read.sequence - through.sequence - this.uncommitted.messages) };
  }

  #heldLeftMs(nowMs: number): number | undefined {
    const { policy } = this.#options;
    const { first, tenants } = this.#held;
    if (!first) return undefined;
    const ageMs = nowMs - first.sinceMs;
    const turnMs = Math.max(policy.leastAgeMs - ageMs, this.#budget.leftMs(tenants, nowMs));
    return Math.max(0, Math.min(turnMs, policy.mostAgeMs - ageMs));
  }

  #joinAll(tenants: readonly HeldTenant[]): void {
    for (const held of tenants) this.#join(held);
  }

  #join(held: HeldTenant): void {
    const { tenantId, sinceMs, oldest } = held;
    this.#held.take(held);
    this.#joined.add(tenantId);
    this.#oldestInWindow = older(this.#oldestInWindow, oldest);
    const stored = this.#options.stored(tenantId);
    for (const message of held.messages()) this.#window.add(message, stored, sinceMs);
  }

  #oldest(flying = this.#flying): Oldest | undefined {
    return [this.#held.first?.oldest, this.#oldestInWindow, ...flying.map(({ oldest }) => oldest)].reduce(older);
  }
}

/** The older of two, or the only one. */
function older(a: Oldest | undefined, b: Oldest | undefined): Oldest | undefined {
  return a && b ? (b.before.sequence < a.before.sequence ? b : a) : (a ?? b);
}

import { sourceOf, type StreamMessage } from '../../stream/message.ts';
import { packMessages, unpackMessages } from './packedMessages.ts';

/** A place in the stream: a message, and when the stream stored it, if that is known. */
export interface Place {
  sequence: number;
  timeMs: number | undefined;
}

/** The oldest of some messages that are read and not committed. */
export interface Oldest {
  /** The message before it: all up to there is committed, or waits elsewhere. */
  before: Place;
  /** When the stream stored it, in milliseconds since 1970. */
  storedMs: number;
}

/** Age and size from which messages are packed. A tenant that sends much is due before. */
const PACK_AFTER_MS = 5_000;
const PACK_BYTES = 16_384;

/** Messages of one tenant that wait for its next commit, in stream order. */
export class HeldTenant {
  readonly tenantId: string;
  /** Arrival of the first, of the monotonic clock in milliseconds. */
  readonly sinceMs: number;
  readonly oldest: Oldest;
  count = 0;
  /** Bytes of the messages. */
  bytes = 0;
  /** Bytes of memory. */
  heldBytes = 0;
  readonly #packs: Buffer[] = [];
  #loose: StreamMessage[] = [];
  #looseBytes = 0;

  constructor(tenantId: string, sinceMs: number, oldest: Oldest) {
    this.tenantId = tenantId;
    this.sinceMs = sinceMs;
    this.oldest = oldest;
  }

  /** Copies a message: it would keep the whole packet it came in, with messages of others. */
  add(message: StreamMessage, nowMs: number): void {
    const { length } = message.data;
    this.#loose.push({ ...message, data: new Uint8Array(message.data) });
    this.#looseBytes += length;
    this.count++;
    this.bytes += length;
    this.heldBytes += length;
    if (this.#looseBytes < PACK_BYTES || nowMs - this.sinceMs < PACK_AFTER_MS) return;
    const pack = packMessages(this.#loose);
    this.#packs.push(pack);
    this.heldBytes += pack.length - this.#looseBytes;
    this.#loose = [];
    this.#looseBytes = 0;
  }

  *messages(): Generator<StreamMessage> {
    for (const pack of this.#packs) yield* unpackMessages(pack);
    yield* this.#loose;
  }
}

/** Share of the room that stays in use after the heaviest tenants left. */
const KEPT_SHARE = 0.75;

/** Messages of tenants that are not due for a commit, in the order of each tenant's first. */
export class HeldMessages {
  readonly #tenants = new Map<string, HeldTenant>();
  #messages = 0;
  #bytes = 0;

  get tenants(): number {
    return this.#tenants.size;
  }

  get messages(): number {
    return this.#messages;
  }

  /** Bytes of memory. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The tenant whose first message came first. */
  get first(): HeldTenant | undefined {
    const [first] = this.#tenants.values();
    return first;
  }

  /** Adds a message. Returns everything that is held of its tenant. */
  add(message: StreamMessage, before: Place, nowMs: number): HeldTenant {
    const { tenantId } = sourceOf(message);
    const oldest = { before, storedMs: message.timeMs };
    const held = this.#tenants.get(tenantId) ?? new HeldTenant(tenantId, nowMs, oldest);
    this.#tenants.set(tenantId, held);
    this.#bytes -= held.heldBytes;
    held.add(message, nowMs);
    this.#bytes += held.heldBytes;
    this.#messages++;
    return held;
  }

  /** Takes out what is held of a tenant. */
  take({ tenantId, count, heldBytes }: HeldTenant): void {
    this.#tenants.delete(tenantId);
    this.#messages -= count;
    this.#bytes -= heldBytes;
  }

  /** The tenants that have waited longest, up to a number, of those whose first message came by a time. */
  oldest(most: number, untilMs: number): HeldTenant[] {
    const oldest: HeldTenant[] = [];
    for (const held of this.#tenants.values()) {
      if (oldest.length >= most || held.sinceMs > untilMs) break;
      oldest.push(held);
    }
    return oldest;
  }

  /** The heaviest tenants, without which the others have room. */
  beyond(mostBytes: number): HeldTenant[] {
    let over = this.#bytes - KEPT_SHARE * mostBytes;
    const heaviest: HeldTenant[] = [];
    for (const held of this.all().sort((a, b) => b.heldBytes - a.heldBytes)) {
      if (over <= 0) break;
      heaviest.push(held);
      over -= held.heldBytes;
    }
    return heaviest;
  }

  all(): HeldTenant[] {
    return [...this.#tenants.values()];
  }
}

import { FREE, HourNumbers, TAKEN_BACK } from './hourNumbers.ts';

/** Words of 32 bits in an id. */
export const ID_WORDS = 4;
/** Fingerprint of unknown content. */
export const UNKNOWN = 0;

const SEGMENTS = 256;
const FIRST_SLOTS = 64;
const MAX_LOAD = 0.8;
const GROWTH = 2;
const SLOT_BYTES = ID_WORDS * 4 + 4;

/** One part of the hash space: open addressing with linear probing. */
interface Segment {
  words: Uint32Array;
  /** Number of each id's hour, or a mark. */
  hours: Uint16Array;
  /** Fingerprint of each id's event. */
  contents: Uint16Array;
  used: number;
}

/**
 * A set of 128-bit ids with hours and fingerprints (docs/performance.md, "Memory").
 *
 * Each segment is rebuilt by itself, and drops ids of forgotten hours. So neither growth nor eviction stops the process for
 * long. An hour has a number of 16 bits while any id has it, so that hours may be as far apart as clocks can be wrong.
 */
export class IdSet {
  readonly #segments: Segment[];
  /** Hours by number. A forgotten hour keeps its number until its last id is dropped. */
  readonly #hours = new HourNumbers();
  #slots = 0;

  constructor() {
    this.#segments = Array.from({ length: SEGMENTS }, () => emptySegment(0));
  }

  /** Bytes of memory that the set holds. */
  get bytes(): number {
    return this.#slots * SLOT_BYTES;
  }

  /** Whether the set has the id at a word offset. */
  has(ids: Uint32Array, at: number): boolean {
    const hash = hashOf(ids, at);
    const segment = this.#segments[hash >>> 24]!;
    if (segment.hours.length === 0) return false;
    const hour = segment.hours[slotOf(segment, hash, ids, at)];
    return hour !== FREE && hour !== TAKEN_BACK;
  }

  /** Fingerprint of the event of an id that the set has; UNKNOWN if it was added without. */
  contentOf(ids: Uint32Array, at: number): number {
    const hash = hashOf(ids, at);
    const segment = this.#segments[hash >>> 24]!;
    return segment.hours.length === 0 ? UNKNOWN : segment.contents[slotOf(segment, hash, ids, at)]!;
  }

  /** Adds the id at a word offset; false if the set has it already. `hour` counts hours since 1970. */
  add(ids: Uint32Array, at: number, hour: number, content = UNKNOWN): boolean {
    const hash = hashOf(ids, at);
    const index = hash >>> 24;
    let segment = this.#segments[index]!;
    if (segment.used >= segment.hours.length * MAX_LOAD) segment = this.#rebuild(index);
    const { words, hours, contents } = segment;
    const slot = slotOf(segment, hash, ids, at);
    const there = hours[slot]!;
    if (there !== FREE && there !== TAKEN_BACK) {
      if (!this.#hours.isForgotten(there)) return false;
      // Time went back since: the id counts again, and stays with its new hour.
      hours[slot] = this.#hours.take(hour);
      this.#hours.release(there);
      return false;
    }
    if (there === FREE) {
      copyId(ids, at, words, slot * ID_WORDS);
      segment.used++;
    }
    hours[slot] = this.#hours.take(hour);
    contents[slot] = content;
    return true;
  }

  /** Removes the id at a word offset, if present. */
  takeBack(ids: Uint32Array, at: number): void {
    const hash = hashOf(ids, at);
    const segment = this.#segments[hash >>> 24]!;
    if (segment.hours.length === 0) return;
    const slot = slotOf(segment, hash, ids, at);
    const hour = segment.hours[slot]!;
    if (hour === FREE || hour === TAKEN_BACK) return;
    this.#hours.release(hour);
    segment.hours[slot] = TAKEN_BACK;
  }

  /** Allows the present ids of earlier hours to be dropped. */
  forget(beforeHour: number): void {
    this.#hours.forget(beforeHour);
  }

  /** Drops the ids that may go, and frees their memory. */
  compact(): void {
    for (let index = 0; index < SEGMENTS; index++) if (this.#segments[index]!.used > 0) this.#rebuild(index);
  }

  #rebuild(index: number): Segment {
    const old = this.#segments[index]!;
    let kept = 0;
    for (let slot = 0; slot < old.hours.length; slot++) {
      const hour = old.hours[slot]!;
      if (hour === FREE || hour === TAKEN_BACK) continue;
      if (!this.#hours.isForgotten(hour)) {
        kept++;
        continue;
      }
      this.#hours.release(hour);
      old.hours[slot] = TAKEN_BACK;
    }
    const next = emptySegment(Math.max(FIRST_SLOTS, Math.ceil((kept / MAX_LOAD) * GROWTH)));
    for (let slot = 0; slot < old.hours.length; slot++) {
      const hour = old.hours[slot]!;
      if (hour === FREE || hour === TAKEN_BACK) continue;
      const at = slot * ID_WORDS;
      const to = slotOf(next, hashOf(old.words, at), old.words, at);
      copyId(old.words, at, next.words, to * ID_WORDS);
      next.hours[to] = hour;
      next.contents[to] = old.contents[slot]!;
    }
    next.used = kept;
    this.#slots += next.hours.length - old.hours.length;
    this.#segments[index] = next;
    return next;
  }
}

function emptySegment(slots: number): Segment {
  return {
    words: new Uint32Array(slots * ID_WORDS),
    hours: new Uint16Array(slots),
    contents: new Uint16Array(slots),
    used: 0,
  };
}

/** Copies word by word, the fastest way (docs/performance.md, "Memory"). */
function copyId(from: Uint32Array, at: number, to: Uint32Array, position: number): void {
  to[position] = from[at]!;
  to[position + 1] = from[at + 1]!;
  to[position + 2] = from[at + 2]!;
  to[position + 3] = from[at + 3]!;
}

/** The slot that holds the id, or the empty slot for it. */
function slotOf({ words, hours }: Segment, hash: number, ids: Uint32Array, at: number): number {
  // The high 8 bits choose the segment; the other bits spread over its slots.
  let slot = Math.floor(((hash & 0xffffff) / 0x1000000) * hours.length);
  for (;;) {
    if (hours[slot] === FREE) return slot;
    const word = slot * ID_WORDS;
    if (
      words[word] === ids[at] &&
      words[word + 1] === ids[at + 1] &&
      words[word + 2] === ids[at + 2] &&
      words[word + 3] === ids[at + 3]
    ) {
      return slot;
    }
    slot = slot + 1 === hours.length ? 0 : slot + 1;
  }
}

/**
 * Mixes the words like MurmurHash3 (public domain, Austin Appleby).
 *
 * Ids of the same millisecond share most of their bits.
 */
function hashOf(ids: Uint32Array, at: number): number {
  let hash = 0;
  for (let word = 0; word < ID_WORDS; word++) {
    let k = Math.imul(ids[at + word]!, 0xcc9e2d51);
    k = (k << 15) | (k >>> 17);
    hash ^= Math.imul(k, 0x1b873593);
    hash = (Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64) | 0;
  }
  hash ^= hash >>> 16;
  hash = Math.imul(hash, 0x85ebca6b);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

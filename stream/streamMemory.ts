import type { StreamState } from './streamState.ts';
import type { KnownMessage } from './streamsRecord.ts';

/** Time that a doubt lasts. Services note a store that was set back within seconds, if they can know of it. */
const DOUBT_MS = 60_000;

interface Seen {
  created: string;
  known: KnownMessage;
  /** Time of the first contradiction, by the monotonic clock. */
  doubtedAtMs?: number;
}

/**
 * The newest message that this process has seen of each stream.
 *
 * A store that goes back is noted by receivers and processors after two seconds. Until then it tells those who have seen
 * more of the stream.
 */
export class StreamMemory {
  readonly #seen = new Map<string, Seen>();

  /** The newest message seen of this incarnation. */
  newest({ name, created }: StreamState): KnownMessage | undefined {
    const seen = this.#seen.get(name);
    return seen?.created === created ? seen.known : undefined;
  }

  /** Remembers a state that continues what was seen. */
  saw({ name, created, lastSequence, lastMs }: StreamState): void {
    this.#seen.set(name, { created, known: { sequence: lastSequence, timeMs: lastMs } });
  }

  /** Notes a state that contradicts what was seen; false once that has lasted too long to be believed. */
  doubts({ name }: StreamState, nowMs = performance.now()): boolean {
    const seen = this.#seen.get(name);
    if (!seen) return false;
    seen.doubtedAtMs ??= nowMs;
    return nowMs - seen.doubtedAtMs < DOUBT_MS;
  }
}

import { MINUTE_MS } from '../../runtime/units.ts';

/** A reading of the store's clock, and when it arrived on the monotonic clock. */
interface Reading {
  storeMs: number;
  at: number;
}

const READ_EVERY_MS = MINUTE_MS;
/** Time until a reading that steps is repeated. */
const CONFIRM_AFTER_MS = 1_000;
/** Difference from the reading before that counts as a step. */
const STEP_MS = 15 * MINUTE_MS;

/**
 * The present by a store's own clock.
 *
 * A store stamps a new object with its time. Between two readings the time goes on by this process's monotonic clock.
 * A reading that steps ahead or back counts once the next one confirms it. So no step of this host's clock changes an
 * age, and none of the store's that lasts a second.
 */
export class StoreClock {
  readonly #stamp: () => Promise<number>;
  readonly #monotonic: () => number;
  #reading: Promise<Reading> | undefined;
  #dueAt = -Infinity;
  /** The reading that counts, and one that steps from it. */
  #last: Reading | undefined;
  #doubted: Reading | undefined;

  /** @param stamp creates an object, and returns the time the store gave it, in milliseconds since 1970 */
  constructor(stamp: () => Promise<number>, monotonic: () => number = () => performance.now()) {
    this.#stamp = stamp;
    this.#monotonic = monotonic;
  }

  /** Milliseconds since 1970, not later than the store's own present. @throws as `stamp` */
  async now(): Promise<number> {
    if (this.#monotonic() >= this.#dueAt) {
      this.#dueAt = this.#monotonic() + READ_EVERY_MS;
      this.#reading = this.#read();
    }
    const { storeMs, at } = await this.#reading!;
    return Math.floor(storeMs + this.#monotonic() - at);
  }

  async #read(): Promise<Reading> {
    try {
      const reading = { storeMs: await this.#stamp(), at: this.#monotonic() };
      const counts = [this.#last, this.#doubted].some((known) => known && !isStep(known, reading));
      if (this.#last && !counts) {
        this.#doubted = reading;
        this.#dueAt = this.#monotonic() + CONFIRM_AFTER_MS;
        return this.#last;
      }
      this.#doubted = undefined;
      return (this.#last = reading);
    } catch (error) {
      this.#dueAt = -Infinity;
      throw error;
    }
  }
}

function isStep(from: Reading, to: Reading): boolean {
  return Math.abs(to.storeMs - from.storeMs - (to.at - from.at)) > STEP_MS;
}

import { MINUTE_MS } from '../../runtime/units.ts';

/** A reading of the store's clock, and when it arrived on the monotonic clock. */
interface Reading {
  storeMs: number;
  at: number;
}

/**
 * The present by a store's own clock.
 *
 * A store stamps a new object with its time. Between two readings the time goes on by this process's monotonic clock.
 * So no step of this host's clock changes an age, and a second's step of the store's clock is seldom met.
 */
export class StoreClock {
  readonly #stamp: () => Promise<number>;
  #reading: Promise<Reading> | undefined;
  #readAt = -Infinity;

  /** @param stamp creates an object, and returns the time the store gave it, in milliseconds since 1970 */
  constructor(stamp: () => Promise<number>) {
    this.#stamp = stamp;
  }

  /** Milliseconds since 1970, never later than the store's own present. @throws as `stamp` */
  async now(): Promise<number> {
    if (performance.now() - this.#readAt > MINUTE_MS) {
      this.#readAt = performance.now();
      this.#reading = this.#read();
    }
    const { storeMs, at } = await this.#reading!;
    return Math.floor(storeMs + performance.now() - at);
  }

  async #read(): Promise<Reading> {
    try {
      const storeMs = await this.#stamp();
      return { storeMs, at: performance.now() };
    } catch (error) {
      this.#readAt = -Infinity;
      throw error;
    }
  }
}

/** Most taken entries that the array still holds. */
const MOST_TAKEN = 1_024;

/**
 * Queue with constant-time push and shift.
 *
 * Taken entries are released while others wait, unlike with a position in an array.
 */
export class Fifo<T> {
  #entries: (T | undefined)[] = [];
  #taken = 0;

  get length(): number {
    return this.#entries.length - this.#taken;
  }

  push(entry: T): void {
    this.#entries.push(entry);
  }

  /** The oldest entry, or undefined where there is none. */
  shift(): T | undefined {
    if (this.length === 0) return undefined;
    const entry = this.#entries[this.#taken];
    this.#entries[this.#taken++] = undefined;
    if (this.length === 0) this.clear();
    else if (this.#taken > MOST_TAKEN && this.#taken > this.length) {
      this.#entries = this.#entries.slice(this.#taken);
      this.#taken = 0;
    }
    return entry;
  }

  clear(): void {
    this.#entries = [];
    this.#taken = 0;
  }
}

/**
 * Bytes this process may hold for requests it has not answered: bodies being read and messages not yet acknowledged.
 * Refusing at this bound keeps memory and waiting times bounded.
 */
export class ByteBudget {
  readonly limit: number;
  #used = 0;

  constructor(limit: number) {
    this.limit = limit;
  }

  get used(): number {
    return this.#used;
  }

  /** Whether so many bytes would fit now. */
  fits(bytes: number): boolean {
    return this.#used + bytes <= this.limit;
  }

  /** Takes bytes where they fit. */
  take(bytes: number): boolean {
    if (!this.fits(bytes)) return false;
    this.#used += bytes;
    return true;
  }

  release(bytes: number): void {
    this.#used -= bytes;
  }
}

/**
 * Limit of the bytes of unanswered requests: bodies and unacknowledged messages.
 * The limit bounds memory and waiting times.
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

  /** Test whether bytes would fit now. */
  fits(bytes: number): boolean {
    return this.#used + bytes <= this.limit;
  }

  /** Take bytes if they fit. */
  take(bytes: number): boolean {
    if (!this.fits(bytes)) return false;
    this.#used += bytes;
    return true;
  }

  release(bytes: number): void {
    this.#used -= bytes;
  }
}

/** Most bytes that a holder may have, as a multiple of the bytes that are free then. */
const TENANT_SHARE = 8;
/** The same for all senders that are not known yet. */
const UNKNOWN_SHARE = 2;

/**
 * Limit of the bytes of unanswered requests: bodies and unacknowledged messages.
 *
 * The limit bounds memory and waiting times. Holders are tenants, and all senders without a key in the header together
 * (undefined). Each may hold only a multiple of what is free, so that it never takes the last bytes from the others. One
 * tenant alone gets eight ninths, two get eight seventeenths each (A. K. Choudhury and E. L. Hahne, "Dynamic queue length
 * thresholds for shared-memory packet switches", 1998).
 */
export class ByteBudget {
  readonly limit: number;
  readonly #held = new Map<string | undefined, number>();
  #used = 0;

  constructor(limit: number) {
    this.limit = limit;
  }

  /** Most bytes that one body may have, so that it fits into an idle receiver. */
  get largest(): number {
    return Math.floor(this.limit / 2);
  }

  get used(): number {
    return this.#used;
  }

  /** Test whether bytes would fit now. */
  fits(bytes: number, holder: string | undefined): boolean {
    const share = holder === undefined ? UNKNOWN_SHARE : TENANT_SHARE;
    const free = this.limit - this.#used - bytes;
    return free >= 0 && (this.#held.get(holder) ?? 0) + bytes <= share * free;
  }

  /** Take bytes if they fit. */
  take(bytes: number, holder: string | undefined): boolean {
    if (!this.fits(bytes, holder)) return false;
    this.#used += bytes;
    this.#held.set(holder, (this.#held.get(holder) ?? 0) + bytes);
    return true;
  }

  release(bytes: number, holder: string | undefined): void {
    this.#used -= bytes;
    const left = (this.#held.get(holder) ?? 0) - bytes;
    if (left > 0) this.#held.set(holder, left);
    else this.#held.delete(holder);
  }
}

/** A resource in use. `end` is called once; the resource may be closed from then on. */
export interface Lease<T> {
  value: T;
  end: () => void;
}

interface Held<T> {
  value: T;
  leases: number;
  /** Time of the last use, of the monotonic clock in milliseconds. */
  usedAt: number;
  /** No new lease is given. The resource closes with its last one. */
  evicted: boolean;
}

/**
 * Resources by name, each closed only when nobody uses it.
 *
 * Idle resources are evicted, and above a number the least recently used. One that is in use is neither, so there may
 * be more than the number for as long as they are in use.
 */
export class LeasedResources<T> {
  readonly #held = new Map<string, Held<T>>();
  readonly #most: number;
  readonly #idleMs: number;
  readonly #close: (value: T) => void;

  /** @param options.close starts to close a resource, and does not throw */
  constructor({ most, idleMs, close }: { most: number; idleMs: number; close: (value: T) => void }) {
    this.#most = most;
    this.#idleMs = idleMs;
    this.#close = close;
  }

  /** Lease the resource of a name, made anew if there is none that fits. */
  take(name: string, { make, fits }: { make: () => T; fits: (value: T) => boolean }): Lease<T> {
    const known = this.#held.get(name);
    if (known && !fits(known.value)) this.#evict(name, known);
    const held = this.#held.get(name) ?? { value: make(), leases: 0, usedAt: 0, evicted: false };
    held.leases++;
    held.usedAt = performance.now();
    this.#held.set(name, held);
    this.sweep();
    return {
      value: held.value,
      end: () => {
        held.leases--;
        held.usedAt = performance.now();
        if (held.evicted && held.leases === 0) this.#close(held.value);
        this.sweep();
      },
    };
  }

  /** Evict what is idle, and the least recently used above the number. */
  sweep(): void {
    const now = performance.now();
    const byUse = [...this.#held].sort(([, a], [, b]) => b.usedAt - a.usedAt);
    for (const [index, [name, held]] of byUse.entries()) {
      if (held.leases === 0 && (index >= this.#most || now - held.usedAt >= this.#idleMs)) this.#evict(name, held);
    }
  }

  /** Take out everything, in use or not, for the end of the process. */
  drain(): T[] {
    const values = [...this.#held.values()].map(({ value }) => value);
    this.#held.clear();
    return values;
  }

  #evict(name: string, held: Held<T>): void {
    this.#held.delete(name);
    held.evicted = true;
    if (held.leases === 0) this.#close(held.value);
  }
}

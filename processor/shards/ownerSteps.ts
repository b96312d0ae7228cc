import { TxnConflictError } from '../../lake/delta/table.ts';
import type { Logger } from '../../runtime/log.ts';
import { backoffMs, delay } from '../../runtime/retry.ts';
import { LostShardError } from '../commit/intents.ts';
import type { ShardLease } from './leases.ts';

/** The shard's stream is not the one this owner began with. */
export class StreamChangedError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'StreamChangedError';
  }
}

const RETRY = { firstMs: 100, maxMs: 5_000 };
/** Work stops this long before the lease could be another's. */
const LEASE_MARGIN_MS = 250;

/**
 * The steps of an owner's work, each tried again until it succeeds, for as long as the shard is its own: a lake or stream
 * that is away makes the window wait and the reading stop, and nothing is skipped.
 */
export class OwnerSteps {
  readonly #lease: ShardLease;
  readonly #signal: AbortSignal;
  readonly #log: Logger;
  readonly #failing = new Map<string, string>();
  readonly #onFailing: (steps: number) => void;

  constructor(options: { lease: ShardLease; signal: AbortSignal; log: Logger; onFailing: (steps: number) => void }) {
    this.#lease = options.lease;
    this.#signal = options.signal;
    this.#log = options.log;
    this.#onFailing = options.onFailing;
  }

  /** The step that fails at the moment, with the reason. */
  get failing(): string | undefined {
    const [first] = this.#failing;
    return first && `shard ${this.#lease.shard}: ${first[0]}: ${first[1]}`;
  }

  /** @throws LostShardError, TxnConflictError, StreamChangedError; what the signal was aborted with. */
  async retryWhileOwned<T>(step: string, task: () => Promise<T>): Promise<T> {
    for (let attempt = 0; ; attempt++) {
      this.#mustOwn();
      try {
        const result = await task();
        if (this.#failing.delete(step)) this.#onFailing(this.#failing.size);
        if (attempt > 0) this.#log.info({ step, attempts: attempt + 1 }, 'a failed step succeeded');
        return result;
      } catch (error) {
        if (error instanceof TxnConflictError || error instanceof LostShardError || error instanceof StreamChangedError)
          throw error;
        this.#failing.set(step, (error as Error).message);
        this.#onFailing(this.#failing.size);
        this.#log.error({ err: error, step, attempt }, 'a step failed and will be tried again');
        await delay(backoffMs(attempt, RETRY), this.#signal);
      }
    }
  }

  #mustOwn(): void {
    if (this.#signal.aborted) throw this.#signal.reason;
    if (this.#lease.validUntil - performance.now() < LEASE_MARGIN_MS) {
      throw new LostShardError(`the lease of shard ${this.#lease.shard} was not renewed in time`);
    }
  }
}

import { TxnConflictError } from '../../lake/delta/txnConflict.ts';
import type { Logger } from '../../runtime/log.ts';
import { backoffMs, delay } from '../../runtime/retry.ts';
import { StreamSetBackError } from '../../stream/incarnation.ts';
import { LostShardError } from '../commit/intents.ts';
import type { ShardLease } from './leases.ts';

/** The shard's stream was recreated or deleted. */
export class StreamChangedError extends Error {
  /** Messages of the stream that were known and are not in the lake. */
  readonly gone: number;

  constructor(message: string, gone: number) {
    super(message);
    this.gone = gone;
    this.name = 'StreamChangedError';
  }
}

/** Errors that end the work on the shard at once. */
const ENDING = [TxnConflictError, LostShardError, StreamChangedError, StreamSetBackError];
/** Time after which a failing step needs a person. An election of the stream servers takes up to 10 seconds. */
const ALARM_AFTER_MS = 30_000;
const RETRY = { firstMs: 100, maxMs: 5_000 };
/** Time before the lease's end at which work stops. */
const LEASE_MARGIN_MS = 250;

/**
 * Steps of an owner, each repeated while the shard is its own.
 *
 * While the lake or stream is away, the window waits and reading stops. Nothing is skipped.
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

  /** The step that fails now, with the reason. */
  get failing(): string | undefined {
    const [first] = this.#failing;
    return first && `shard ${this.#lease.shard}: ${first[0]}: ${first[1]}`;
  }

  /** @throws LostShardError, TxnConflictError, StreamChangedError, StreamSetBackError; the signal's abort reason */
  async retryWhileOwned<T>(step: string, task: () => Promise<T>): Promise<T> {
    const startedAt = performance.now();
    for (let attempt = 0; ; attempt++) {
      this.#mustOwn();
      try {
        const result = await task();
        if (this.#failing.delete(step)) this.#onFailing(this.#failing.size);
        if (attempt > 0) this.#log.info({ step, attempts: attempt + 1 }, 'a failed step succeeded');
        return result;
      } catch (error) {
        if (ENDING.some((kind) => error instanceof kind)) throw error;
        this.#failing.set(step, (error as Error).message);
        this.#onFailing(this.#failing.size);
        const level = performance.now() - startedAt > ALARM_AFTER_MS ? 'error' : 'warn';
        this.#log[level]({ err: error, step, attempt }, 'a step failed and will be tried again');
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

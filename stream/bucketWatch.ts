import { jetstreamManager, type JetStreamManager, type StreamInfo } from '@nats-io/jetstream';
import type { KV, KvEntry } from '@nats-io/kv';
import type { Logger } from '../runtime/log.ts';
import { delay } from '../runtime/retry.ts';
import { StreamUnavailableError } from './errors.ts';
import type { NatsConnection } from './nats.ts';
import { hasQuorum } from './quorum.ts';

const CHECK_EVERY_MS = 500;
const CHECK_AGAIN_MS = 100;
const ANSWER_MS = 1_000;
/** Age of the last confirmation above which the state counts as stale, whatever the check under way finds. */
const LONGEST_CHECK_MS = 2_000;
/** Silence of a new consumer after which it counts as dead. */
const SILENT_MS = 2_000;
/** Time that an announced entry may take to arrive. */
const ARRIVES_WITHIN_MS = 250;
const LOOK_AGAIN_MS = 5;
/** Failed checks between two log lines. */
const LOG_EVERY = 50;
const JS_STREAM_NOT_FOUND = 10059;

export interface BucketWatchOptions<S> {
  connection: NatsConnection;
  kv: KV;
  bucket: string;
  log: Logger;
  /** Makes the empty state of a new reading. */
  begin: () => S;
  apply: (state: S, entry: KvEntry) => void;
  /** Makes the bucket, if the server comes back without it; absent: another service does. */
  make?: () => Promise<unknown>;
  /** Told of each reading that replaces one. */
  onReplaced?: (before: S, now: S) => void;
}

/** One reading of a bucket, kept current by a consumer for as long as that lives. */
interface Reading<S> {
  state: S;
  /** Creation time of the bucket's stream. */
  created: string;
  /** Sequence of the last applied entry. */
  applied: number;
  stop(): void;
}

/**
 * Follows a bucket, and checks that it does.
 *
 * A consumer that has died is silent like one without news, and the client notices that after a minute. So twice a second
 * the bucket's leader is asked for its last sequence. If that is applied, or arrives soon, the state is confirmed. If not,
 * the bucket is read again. A leader without a quorum confirms nothing, because another one may have taken over.
 */
export class BucketWatch<S> {
  readonly #options: BucketWatchOptions<S>;
  readonly #manager: JetStreamManager;
  readonly #stopped = new AbortController();
  #reading: Reading<S>;
  #readAgain = false;
  #confirmedAtMs = -Infinity;
  #staleSinceMs: number | undefined;

  private constructor(options: BucketWatchOptions<S>, manager: JetStreamManager, reading: Reading<S>) {
    this.#options = options;
    this.#manager = manager;
    this.#reading = reading;
  }

  /**
   * Resolves once the state is confirmed.
   * @throws Error if the server does not answer; StreamUnavailableError without a quorum
   */
  static async start<S>(options: BucketWatchOptions<S>): Promise<BucketWatch<S>> {
    const manager = await jetstreamManager(options.connection, { checkAPI: false, timeout: ANSWER_MS });
    const watch = new BucketWatch(options, manager, await readAndFollow(options));
    try {
      if (!(await watch.#confirm())) throw new StreamUnavailableError(`${options.bucket} changed while it was read`);
    } catch (error) {
      watch.stop();
      throw error;
    }
    void watch.#followConnection();
    void watch.#checkAlways();
    return watch;
  }

  /** State by all applied entries. */
  get state(): S {
    return this.#reading.state;
  }

  /** Time at which the state was current for certain, by the monotonic clock. */
  get confirmedAtMs(): number {
    return this.#confirmedAtMs;
  }

  /** Time since which changes may be missing, in milliseconds since 1970. Undefined: none are missing. */
  get staleSinceMs(): number | undefined {
    const ageMs = performance.now() - this.#confirmedAtMs;
    return this.#staleSinceMs ?? (ageMs > LONGEST_CHECK_MS ? Date.now() - ageMs : undefined);
  }

  /** Waits until the state is confirmed as of a time; false as soon as it is known to be stale, or after a while. */
  async confirmedSince(sinceMs: number): Promise<boolean> {
    const deadline = performance.now() + LONGEST_CHECK_MS;
    while (this.#confirmedAtMs < sinceMs) {
      if (this.#staleSinceMs !== undefined || this.#stopped.signal.aborted || performance.now() > deadline)
        return false;
      await delay(LOOK_AGAIN_MS);
    }
    return true;
  }

  stop(): void {
    this.#stopped.abort();
    this.#reading.stop();
  }

  async #followConnection(): Promise<void> {
    for await (const { type } of this.#options.connection.status()) {
      if (type === 'disconnect') this.#staleSinceMs ??= Date.now();
      if (type === 'reconnect') this.#readAgain = true; // the server may have dropped the consumer
    }
  }

  async #checkAlways(): Promise<void> {
    const { bucket, log } = this.#options;
    const { signal } = this.#stopped;
    for (let failed = 0; !signal.aborted;) {
      let cause: unknown;
      const current = await this.#confirm().catch((error: unknown) => {
        cause = error;
        return false;
      });
      if (signal.aborted) return;
      if (current) this.#staleSinceMs = undefined;
      else {
        this.#staleSinceMs ??= Date.now();
        if (failed++ % LOG_EVERY === LOG_EVERY - 1)
          log.warn({ err: cause, bucket }, 'changes of a bucket cannot be followed, continuing with what is known');
      }
      if (current) failed = 0;
      await delay(current ? CHECK_EVERY_MS : CHECK_AGAIN_MS, signal);
    }
  }

  /** Confirms the state, after another reading if need be. @throws Error if the server does not answer */
  async #confirm(): Promise<boolean> {
    const askedAtMs = performance.now();
    if (this.#readAgain) {
      await this.#info();
      await this.#replace();
    }
    const before = this.#reading.applied;
    const info = await this.#info();
    if (!hasQuorum(info)) throw new StreamUnavailableError('the bucket has no quorum');
    const same = info.created === this.#reading.created && info.state.last_seq >= before;
    if (!same || !(await this.#reaches(info))) {
      this.#readAgain = true;
      await this.#replace();
      if (info.created !== this.#reading.created || !(await this.#reaches(info))) return false;
    }
    this.#confirmedAtMs = askedAtMs;
    return true;
  }

  /** State of the bucket's stream. A missing bucket is made, for the next check. */
  async #info(): Promise<StreamInfo> {
    try {
      return await this.#manager.streams.info(streamOf(this.#options.bucket));
    } catch (error) {
      if ((error as { code?: number }).code === JS_STREAM_NOT_FOUND) await this.#options.make?.();
      throw error;
    }
  }

  async #replace(): Promise<void> {
    const next = await readAndFollow(this.#options);
    this.#readAgain = false;
    if (this.#stopped.signal.aborted) return next.stop();
    const before = this.#reading;
    before.stop();
    this.#reading = next;
    this.#options.onReplaced?.(before.state, next.state);
  }

  /** Tests whether the last existing entry is applied. */
  async #reaches({ state }: StreamInfo): Promise<boolean> {
    const deadline = performance.now() + ARRIVES_WITHIN_MS;
    if (state.messages === 0) return true;
    while (this.#reading.applied < state.last_seq && performance.now() < deadline) await delay(LOOK_AGAIN_MS);
    if (this.#reading.applied >= state.last_seq) return true;
    // The last entry may have expired, or was purged.
    const { bucket } = this.#options;
    const last = await this.#manager.streams.getMessage(streamOf(bucket), { last_by_subj: `$KV.${bucket}.>` });
    return !last || last.seq <= this.#reading.applied;
  }
}

function streamOf(bucket: string): string {
  return `KV_${bucket}`;
}

/** Reads a whole bucket, then applies its changes until stopped. */
async function readAndFollow<S>({ kv, begin, apply }: BucketWatchOptions<S>): Promise<Reading<S>> {
  const watch = await kv.watch();
  const { promise: complete, resolve, reject } = Promise.withResolvers<void>();
  const reading: Reading<S> = { state: begin(), created: '', applied: 0, stop: () => watch.stop() };
  const silence = setTimeout(() => reject(new Error('the bucket was not read in time')), SILENT_MS);
  const run = async (): Promise<void> => {
    // A watch does not mark the last existing entry. An empty bucket sends nothing; otherwise `delta` counts down to 0.
    const { values, streamInfo } = await kv.status();
    reading.created = streamInfo.created;
    if (values === 0) resolve();
    for await (const entry of watch) {
      apply(reading.state, entry);
      reading.applied = Math.max(reading.applied, entry.revision);
      if (entry.delta === 0) resolve();
      silence.refresh();
    }
    reject(new Error('the watch ended before the bucket was read'));
  };
  run().catch(reject);
  try {
    await complete;
  } catch (error) {
    watch.stop();
    throw error;
  } finally {
    clearTimeout(silence);
  }
  return reading;
}

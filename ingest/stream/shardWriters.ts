import type { Logger } from '../../runtime/log.ts';
import { shardNumbers, type ShardRange } from '../../schemas/subjects.ts';
import type { NatsConnection } from '../../stream/nats.ts';
import { rangeAfter, rangeOf, type StreamsRecord } from '../../stream/streamsRecord.ts';
import type { ByteBudget } from '../byteBudget.ts';
import { GroupCommit, type GroupCommitOptions } from './groupCommit.ts';
import { NatsPublisher, type RefusedShard } from './natsPublisher.ts';
import { placeBatch, type Batch } from './placeBatch.ts';
import { PublishStreams } from './publishStreams.ts';
import { ShardHealth } from './shardHealth.ts';
import { startShardWatch } from './shardWatch.ts';

export interface ShardWritersOptions {
  range: ShardRange;
  replicas: number;
  maxBytes: number;
  mayCreate: boolean;
  budget: ByteBudget;
  onPublished?: GroupCommitOptions['onPublished'];
  log: Logger;
}

/** The writers to one range of shards. */
interface RangeWriters {
  range: ShardRange;
  streams: PublishStreams;
  publisher: NatsPublisher;
  commit: GroupCommit;
  close: () => void;
}

/**
 * Writers to the shards in use, through a growth too.
 *
 * They are *steady*, or they *hold*. While the record says that a growth is closing, batches go to the next range, whose
 * publisher holds them. The record's switch releases them, so senders wait for some seconds and get their 202. If the
 * growth is taken back, what was held fails, and its senders send again. A batch past its deadline fails as always.
 *
 * Correctness does not rest on this: a closed stream takes nothing.
 */
export class ShardWriters {
  readonly #connection: NatsConnection;
  readonly #options: ShardWritersOptions;
  /** Undefined until the first range is open. */
  #current: RangeWriters | undefined;
  #next: RangeWriters | undefined;
  #holding = false;
  #following: Promise<void> = Promise.resolve();
  #closed = false;

  private constructor(connection: NatsConnection, options: ShardWritersOptions) {
    this.#connection = connection;
    this.#options = options;
  }

  /** Opens the streams of the range. @throws Error of ensureStreams */
  static async open(connection: NatsConnection, options: ShardWritersOptions): Promise<ShardWriters> {
    const writers = new ShardWriters(connection, options);
    writers.#current = await writers.#open(options.range, options.range.shards);
    return writers;
  }

  /** Adds a batch to the open message of its shard. @throws ReceiverError of GroupCommit */
  submit(batch: Batch): void {
    const { commit, range } = (this.#holding && this.#next) || this.#now;
    commit.submit(placeBatch(batch, range));
  }

  /** Why no event can be taken; undefined while at least one shard acknowledges. */
  down(): string | undefined {
    return this.#now.publisher.down();
  }

  /** Shards that do not acknowledge now. */
  refused(): RefusedShard[] {
    return this.#now.publisher.refused();
  }

  get shardsSetBack(): number {
    return this.#now.streams.shardsSetBack.length;
  }

  get #now(): RangeWriters {
    if (!this.#current) throw new Error('the shards are not open yet');
    return this.#current;
  }

  /** Waits until every batch is settled. */
  async drained(): Promise<void> {
    await Promise.all([this.#now.commit.drained(), this.#next?.commit.drained()]);
  }

  close(): void {
    this.#closed = true;
    this.#now.close();
    this.#next?.close();
  }

  #noticed(record: StreamsRecord): void {
    this.#following = this.#following
      .then(() => this.#follow(record))
      .catch((error: unknown) =>
        this.#options.log.warn({ err: error }, 'a growth of the shards cannot be followed yet'),
      );
  }

  async #follow(record: StreamsRecord): Promise<void> {
    if (this.#closed || !this.#current) return;
    const range = rangeOf(record);
    if (range.first !== this.#current.range.first) return this.#switch(this.#current, range);
    const { growth } = record;
    if (this.#next && growth && growth.shards !== this.#next.range.shards) {
      this.#next.close();
      this.#next = undefined;
    }
    if (growth && !this.#next) {
      const next = rangeAfter(record, growth.shards);
      if (shardNumbers(next).every((shard) => record.created[shard] !== undefined)) {
        const opened = await this.#open(next, range.shards);
        opened.publisher.hold();
        this.#next = opened;
      }
    }
    const holding = growth?.closing === true && this.#next !== undefined;
    if (this.#holding && !holding) this.#next?.publisher.failHeld('the growth of the shards was put off');
    this.#holding = holding;
  }

  /** Writes to a new range from now on. */
  async #switch(before: RangeWriters, range: ShardRange): Promise<void> {
    const prepared = this.#next?.range.first === range.first ? this.#next : undefined;
    const next = prepared ?? (await this.#open(range, range.shards));
    this.#current = next;
    this.#next = undefined;
    this.#holding = false;
    next.publisher.release();
    this.#options.log.info({ ...range }, 'writing to the new shards');
    void before.commit.drained().then(before.close);
  }

  async #open(range: ShardRange, agreed: number): Promise<RangeWriters> {
    const { log, budget, onPublished, replicas, maxBytes, mayCreate } = this.#options;
    const onRecord = (record: StreamsRecord): void => this.#noticed(record);
    const streams = new PublishStreams(this.#connection, {
      range,
      agreed,
      replicas,
      maxBytes,
      mayCreate,
      log,
      onRecord,
    });
    await streams.open();
    const health = Array.from({ length: range.shards }, () => new ShardHealth());
    const publisher = new NatsPublisher(this.#connection, streams, { log, health });
    const watch = await startShardWatch(this.#connection, health, range.first);
    const commit = new GroupCommit({
      publisher,
      budget,
      shards: range.shards,
      ...(onPublished ? { onPublished } : {}),
    });
    const close = (): void => {
      streams.stop();
      publisher.close();
      watch.stop();
      commit.close();
    };
    return { range, streams, publisher, commit, close };
  }
}

import { jetstreamManager, type JetStreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from './nats.ts';
import { streamInfo } from './streams.ts';
import { streamEpoch } from '../schemas/receipt.ts';
import { shardOf, streamName } from '../schemas/subjects.ts';
import type { StreamMessage } from './message.ts';
import { nextMessages } from './nextMessages.ts';
import { floorOf, Progress } from './progress.ts';

/** A shard's stream, as far as a reader of one tenant's newest messages needs it. */
export interface ShardStream {
  shard: number;
  shards: number;
  name: string;
}

/** Which stream it is, and which of its messages may be gone. */
export interface StreamState {
  /** Creation time; a stream made anew has another. */
  created: string;
  epoch: number;
  /** Everything up to and including this sequence is committed. */
  floor: number;
  /** Messages before this one are not in the stream any more. */
  first: number;
  /** The newest message. */
  last: number;
}

/** The server answers in milliseconds or not at all: queries must not wait for it to come back. */
const PATIENCE_MS = 1_000;
const BATCH_BYTES = 8 * 1_048_576;

/** Reads the shard streams of a NATS account, a tenant at a time. */
export class ShardStreams {
  readonly #connection: NatsConnection;
  readonly #manager: JetStreamManager;
  readonly #progress: Progress;
  #shards: number | undefined;

  private constructor(connection: NatsConnection, manager: JetStreamManager, progress: Progress) {
    this.#connection = connection;
    this.#manager = manager;
    this.#progress = progress;
  }

  static async open(connection: NatsConnection, replicas: number): Promise<ShardStreams> {
    const manager = await jetstreamManager(connection, { checkAPI: false, timeout: PATIENCE_MS });
    return new ShardStreams(connection, manager, await Progress.open(connection, { replicas, timeoutMs: PATIENCE_MS }));
  }

  /** The stream a tenant's messages are in; undefined while there are no streams yet. */
  async of(tenantId: string): Promise<ShardStream | undefined> {
    const shards = (this.#shards ??= await this.#count());
    if (shards === undefined) return undefined;
    const shard = shardOf(tenantId, shards);
    return { shard, shards, name: streamName(shard) };
  }

  /** The stream as it is now; undefined where it has been deleted. */
  async state({ shard, name }: ShardStream): Promise<StreamState | undefined> {
    const [info, progress] = await Promise.all([streamInfo(this.#manager, name), this.#progress.read(shard)]);
    if (!info) {
      this.#shards = undefined;
      return undefined;
    }
    const { created } = info;
    const floor = floorOf(progress, created);
    const { first_seq: first, last_seq: last } = info.state;
    // Only what is committed is ever trimmed.
    return { created, epoch: streamEpoch(created), floor: Math.max(floor, first - 1), first, last };
  }

  /**
   * A tenant's messages from a sequence on, to the end of the stream or until they take this many bytes; `complete` says
   * which. Where `to` is given, no more than the batch with that sequence is waited for: a stream that is written to as fast
   * as it is read has no end.
   */
  async read(
    { shard, name }: ShardStream,
    options: { tenantId: string; from: number; to?: number; maxBytes: number },
  ): Promise<{ messages: StreamMessage[]; complete: boolean }> {
    const subject = `*.${shard}.${options.tenantId}.*`;
    const { to = Infinity } = options;
    const messages: StreamMessage[] = [];
    let bytes = 0;
    for (let seq = options.from; ;) {
      const maxBytes = Math.min(BATCH_BYTES, options.maxBytes - bytes);
      const next = await nextMessages(this.#connection, this.#manager, { stream: name, subject, seq, maxBytes });
      messages.push(...next.messages);
      bytes += next.messages.reduce((sum, { data }) => sum + data.length, 0);
      if (next.complete || messages.at(-1)!.sequence >= to) return { messages, complete: true };
      if (bytes >= options.maxBytes) return { messages, complete: false };
      seq = messages.at(-1)!.sequence + 1;
    }
  }

  /** Their number is fixed when they are made; counting needs no setting that could differ from the receiver's. */
  async #count(): Promise<number | undefined> {
    let count = 0;
    while (await streamInfo(this.#manager, streamName(count))) count++;
    return count === 0 ? undefined : count;
  }
}

import { jetstreamManager, type JetStreamManager, type StoredMsg } from '@nats-io/jetstream';
import type { NatsConnection } from '../../runtime/nats.ts';
import { streamInfo } from '../../runtime/streams.ts';
import { FORMAT_HEADER } from '../../schemas/envelope.ts';
import { streamEpoch } from '../../schemas/receipt.ts';
import { shardOf, streamName } from '../../schemas/subjects.ts';
import type { StreamMessage } from '../window/message.ts';
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
}

/** The server answers in milliseconds or not at all: queries must not wait for it to come back. */
const PATIENCE_MS = 1_000;
const NOT_FOUND = 404;
const BATCH_MESSAGES = 1_000;
const BATCH_BYTES = 8 * 1_048_576;
/** Oldest server that answers many messages at once (ADR-31); before, each is asked for by itself. */
const BATCH_SERVER = [2, 11] as const;

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
    const first = info.state.first_seq;
    // Only what is committed is ever trimmed.
    return { created, epoch: streamEpoch(created), floor: Math.max(floor, first - 1), first };
  }

  /**
   * A tenant's messages from a sequence on, to the end of the stream or until they take this many bytes; `complete` says
   * which.
   */
  async read(
    { shard, name }: ShardStream,
    options: { tenantId: string; from: number; maxBytes: number },
  ): Promise<{ messages: StreamMessage[]; complete: boolean }> {
    const subject = `*.${shard}.${options.tenantId}.*`;
    const messages: StreamMessage[] = [];
    let bytes = 0;
    for (let next = options.from; ;) {
      const batch = await this.#batch(name, subject, {
        seq: next,
        maxBytes: Math.min(BATCH_BYTES, options.maxBytes - bytes),
      });
      for (const message of batch) {
        messages.push(asStreamMessage(message));
        bytes += message.data.length;
      }
      const last = batch.at(-1);
      if (!last || last.pending === 0) return { messages, complete: true };
      if (bytes >= options.maxBytes) return { messages, complete: false };
      next = last.seq + 1;
    }
  }

  async #batch(
    stream: string,
    subject: string,
    { seq, maxBytes }: { seq: number; maxBytes: number },
  ): Promise<StoredMsg[]> {
    if (!this.#answersBatches()) {
      const message = await this.#manager.direct.getMessage(stream, { seq, next_by_subj: subject });
      return message ? [message] : [];
    }
    const messages: StoredMsg[] = [];
    const { promise: ended, resolve, reject } = Promise.withResolvers<void>();
    await this.#manager.direct.getBatch(stream, {
      seq,
      next_by_subj: subject,
      batch: BATCH_MESSAGES,
      max_bytes: maxBytes,
      // With a callback the client lets go of its subscription at the end; as an iterator it keeps one for each call.
      callback: (done, message) => {
        if (!done) messages.push(message);
        else if (done.err && !isNothingFound(done.err)) reject(done.err);
        else resolve();
      },
    });
    await ended;
    return messages;
  }

  #answersBatches(): boolean {
    const [major = 0, minor = 0] = (this.#connection.info?.version ?? '').split('.').map(Number);
    return major > BATCH_SERVER[0] || (major === BATCH_SERVER[0] && minor >= BATCH_SERVER[1]);
  }

  /** Their number is fixed when they are made; counting needs no setting that could differ from the receiver's. */
  async #count(): Promise<number | undefined> {
    let count = 0;
    while (await streamInfo(this.#manager, streamName(count))) count++;
    return count === 0 ? undefined : count;
  }
}

function isNothingFound(error: Error): boolean {
  return (error as { code?: unknown }).code === NOT_FOUND;
}

function asStreamMessage(message: StoredMsg): StreamMessage {
  return {
    subject: message.subject,
    sequence: message.seq,
    timeMs: message.time.getTime(),
    data: message.data,
    format: message.header.get(FORMAT_HEADER) || undefined,
  };
}

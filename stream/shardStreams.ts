import { jetstreamManager, type JetStreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from './nats.ts';
import { StreamUnavailableError } from './errors.ts';
import { hasQuorum } from './quorum.ts';
import { shardRange } from './shardCount.ts';
import { streamInfo } from './streamInfo.ts';
import { ServerAge } from './serverAge.ts';
import { StreamMemory } from './streamMemory.ts';
import { streamStateOf, type StreamState } from './streamState.ts';
import { rangeOf, readStreamsRecord, type StreamsRecord } from './streamsRecord.ts';
import { shardOf, streamName, type ShardRange } from '../schemas/subjects.ts';
import type { StreamMessage } from './message.ts';
import { messageOfLeader, nextMessages, pendingMessages, type PendingMessages } from './nextMessages.ts';
import { positionFor, Progress } from './progress.ts';
import { firstSince } from './trim.ts';

/** The stream that holds a tenant's messages. */
export interface ShardStream extends ShardRange {
  shard: number;
  name: string;
}

/** State of a stream, with its committed position. */
export interface CommittedState extends StreamState {
  /** Everything of the tenant up to and including this sequence is committed. */
  floor: number;
}

/** The range of shards as read at a time. */
interface KnownRange {
  record: StreamsRecord | undefined;
  range: ShardRange;
  /** By the monotonic clock. */
  atMs: number;
}

type Shard = Pick<ShardStream, 'shard'>;

const PATIENCE_MS = 5_000;
/** Age of the known range. An older one is read again; `state` notices a growth in between. */
const RANGE_MS = 1_000;
const BATCH_BYTES = 8 * 1_048_576;

/**
 * Reader of the shard streams, one tenant at a time.
 *
 * States and single messages come from the stream's leader, because a replica may be out of date. Every method throws
 * StreamUnavailableError if the server does not answer.
 */
export class ShardStreams {
  readonly memory = new StreamMemory();
  readonly server: ServerAge;
  readonly #connection: NatsConnection;
  readonly #manager: JetStreamManager;
  readonly #progress: Progress;
  #known: KnownRange | undefined;

  private constructor(connection: NatsConnection, manager: JetStreamManager, progress: Progress) {
    this.server = new ServerAge(connection);
    this.#connection = connection;
    this.#manager = manager;
    this.#progress = progress;
  }

  /** @param options.patienceMs how long a request to the server may take */
  static open(
    connection: NatsConnection,
    { patienceMs = PATIENCE_MS }: { patienceMs?: number } = {},
  ): Promise<ShardStreams> {
    return ask(async () => {
      const manager = await jetstreamManager(connection, { checkAPI: false, timeout: patienceMs });
      const progress = await Progress.openToRead(connection, { timeoutMs: patienceMs });
      return new ShardStreams(connection, manager, progress);
    });
  }

  /** Stream of a tenant's new messages; undefined while there are no streams. */
  async of(tenantId: string): Promise<ShardStream | undefined> {
    return placeIn((await this.#recent()).range, tenantId);
  }

  /** Stream in which a shard held a tenant's messages, now or before a growth; undefined if it never did. */
  async placeOf(tenantId: string, shard: number): Promise<ShardStream | undefined> {
    const { record, range } = await this.#recent();
    const places = [range, ...(record?.before ?? [])].map((one) => placeIn(one, tenantId));
    return places.find((place) => place?.shard === shard);
  }

  /**
   * Current state of a stream; undefined if it is deleted.
   *
   * A closed stream is the tenant's until the record names the next range. Only then is anything written there.
   * @throws StreamUnavailableError also if the range has just changed: the caller asks again
   */
  async state({ shard }: Shard): Promise<StreamState | undefined> {
    const before = this.#known?.range;
    const info = await ask(() => streamInfo(this.#manager, streamName(shard)));
    if (info && !hasQuorum(info)) throw new StreamUnavailableError('The stream has no quorum now.');
    if (!info) this.#known = undefined;
    if (info?.config.sealed && before && shard >= before.first) {
      this.#known = undefined;
      const { range } = await this.#recent();
      if (range.first !== before.first) throw new StreamUnavailableError('The shards have just grown. Ask again.');
    }
    return info && streamStateOf(info);
  }

  /** What was noticed about all streams; undefined before the first start. */
  record(): Promise<StreamsRecord | undefined> {
    return ask(() => readStreamsRecord(this.#manager));
  }

  /** Current state of a stream, with its committed position for a tenant. */
  async committed({ shard }: Shard, tenantId: string): Promise<CommittedState | undefined> {
    const [state, progress] = await Promise.all([this.state({ shard }), ask(() => this.#progress.read(shard))]);
    if (!state) return undefined;
    // Trimming removes only committed messages.
    return { ...state, floor: Math.max(positionFor(progress, state.created, tenantId), state.firstSequence - 1) };
  }

  /** First sequence stored since a time; after the last if none. */
  async firstSince({ shard }: Shard, sinceMs: number): Promise<number> {
    const name = streamName(shard);
    return ask(async () => firstSince(this.#manager, await this.#manager.streams.info(name), sinceMs));
  }

  /** Message of a sequence; undefined if the stream does not hold it. */
  async message({ shard, sequence }: Shard & { sequence: number }): Promise<StreamMessage | undefined> {
    return this.#get(shard, { seq: sequence });
  }

  /** First message of a tenant with accepted events, from a sequence on. */
  async nextAccepted({ shard }: Shard, tenantId: string, from: number): Promise<StreamMessage | undefined> {
    return this.#get(shard, { seq: Math.max(1, from), next_by_subj: `events.${shard}.${tenantId}.*` });
  }

  /** Number of a tenant's messages from a sequence on, and when the first was stored; undefined without one. */
  async pending({ shard }: Shard, tenantId: string, from: number): Promise<PendingMessages | undefined> {
    const query = { stream: streamName(shard), subject: `*.${shard}.${tenantId}.*`, seq: Math.max(1, from) };
    return ask(() => pendingMessages(this.#connection, this.#manager, query));
  }

  /** Messages of a tenant from one sequence to another, in order. */
  async *messages(
    { shard }: Shard,
    { tenantId, from, to }: { tenantId: string; from: number; to: number },
  ): AsyncGenerator<StreamMessage> {
    for (let seq = Math.max(1, from); seq <= to;) {
      const next = await this.#next(shard, { tenantId, seq, to, maxBytes: BATCH_BYTES });
      for (const message of next.messages) if (message.sequence <= to) yield message;
      if (next.complete) return;
      seq = next.messages.at(-1)!.sequence + 1;
    }
  }

  /**
   * Reads a tenant's messages from a sequence on, within a byte limit.
   *
   * `complete` says whether the end of the stream was reached. With `to`, reading stops after the batch that contains
   * that sequence, because a busy stream has no end.
   */
  async read(
    { shard }: Shard,
    options: { tenantId: string; from: number; to?: number; maxBytes: number },
  ): Promise<{ messages: StreamMessage[]; complete: boolean }> {
    const { tenantId, to = Infinity } = options;
    const messages: StreamMessage[] = [];
    let bytes = 0;
    for (let seq = options.from; ;) {
      const maxBytes = Math.min(BATCH_BYTES, options.maxBytes - bytes);
      const next = await this.#next(shard, { tenantId, seq, to, maxBytes });
      messages.push(...next.messages);
      bytes += next.messages.reduce((sum, { data }) => sum + data.length, 0);
      if (next.complete || messages.at(-1)!.sequence >= to) return { messages, complete: true };
      if (bytes >= options.maxBytes) return { messages, complete: false };
      seq = messages.at(-1)!.sequence + 1;
    }
  }

  #next(
    shard: number,
    { tenantId, ...range }: { tenantId: string; seq: number; to: number; maxBytes: number },
  ): ReturnType<typeof nextMessages> {
    const query = { stream: streamName(shard), subject: `*.${shard}.${tenantId}.*`, ...range };
    return ask(() => nextMessages(this.#connection, this.#manager, query));
  }

  #get(shard: number, query: { seq: number; next_by_subj?: string }): Promise<StreamMessage | undefined> {
    return ask(() => messageOfLeader(this.#manager, streamName(shard), query));
  }

  /** The range of shards, as recorded. A setting could differ from the receiver's. */
  async #recent(): Promise<KnownRange> {
    const nowMs = performance.now();
    if (this.#known && nowMs - this.#known.atMs < RANGE_MS) return this.#known;
    const record = await this.record();
    const range = record ? rangeOf(record) : await ask(() => shardRange(this.#manager));
    return (this.#known = { record, range, atMs: nowMs });
  }
}

function placeIn({ first, shards }: ShardRange, tenantId: string): ShardStream | undefined {
  if (shards === 0) return undefined;
  const shard = shardOf(tenantId, shards, first);
  return { shard, shards, first, name: streamName(shard) };
}

/** Runs a request to the stream server. @throws StreamUnavailableError */
async function ask<T>(task: () => Promise<T>): Promise<T> {
  try {
    return await task();
  } catch (cause) {
    if (cause instanceof StreamUnavailableError) throw cause;
    throw new StreamUnavailableError(undefined, { retryAfterSeconds: 1, cause });
  }
}

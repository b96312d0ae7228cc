import { jetstreamManager, type JetStreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from './nats.ts';
import { StreamUnavailableError } from './errors.ts';
import { streamInfo } from './streams.ts';
import { streamEpoch } from '../schemas/receipt.ts';
import { shardOf, streamName } from '../schemas/subjects.ts';
import { asStreamMessage, nextMessages } from './nextMessages.ts';
import type { StreamMessage } from './message.ts';

/** A shard's stream as its leader describes it. */
export interface StreamState {
  name: string;
  /** Creation time, as JetStream reports it. */
  created: string;
  /** Identity under which the tables keep how far it is committed. */
  appId: string;
  epoch: number;
  firstSequence: number;
  lastSequence: number;
  /** The server's clock when it answered, in milliseconds since 1970. */
  atMs: number;
}

const READ_BYTES = 8 * 1_048_576;
const NO_MESSAGE = 10037;

/** Runs a request to the stream server. @throws StreamUnavailableError */
export async function askStream<T>(task: () => Promise<T>): Promise<T> {
  try {
    return await task();
  } catch (cause) {
    if (cause instanceof StreamUnavailableError) throw cause;
    throw new StreamUnavailableError(undefined, { retryAfterSeconds: 1, cause });
  }
}

/**
 * What the streams hold of a tenant. Asks the stream's leader wherever an old answer would be a wrong one.
 * Every method throws StreamUnavailableError.
 */
export class TenantStreams {
  readonly #connection: NatsConnection;
  readonly #manager: JetStreamManager;
  #shards: number | undefined;

  private constructor(connection: NatsConnection, manager: JetStreamManager) {
    this.#connection = connection;
    this.#manager = manager;
  }

  static async open(connection: NatsConnection): Promise<TenantStreams> {
    return new TenantStreams(connection, await askStream(() => jetstreamManager(connection)));
  }

  /** The shard of a tenant, and how many there are; undefined while there are no streams. */
  async shard(tenantId: string): Promise<{ shard: number; shards: number } | undefined> {
    // Their number never changes once they are made.
    const shards = (this.#shards ??= await this.#count());
    return shards === undefined ? undefined : { shard: shardOf(tenantId, shards), shards };
  }

  async state(shard: number): Promise<StreamState | undefined> {
    const name = streamName(shard);
    const info = await askStream(() => streamInfo(this.#manager, name));
    if (!info) return undefined;
    const { created, state } = info;
    const { ts } = info as { ts?: string };
    return {
      name,
      created,
      appId: `${name}@${created}`,
      epoch: streamEpoch(created),
      firstSequence: state.first_seq,
      lastSequence: state.last_seq,
      atMs: ts === undefined ? NaN : Date.parse(ts),
    };
  }

  /** The message of a sequence, or undefined where the stream does not hold it. */
  async message(shard: number, sequence: number): Promise<StreamMessage | undefined> {
    return this.#get(shard, { seq: sequence });
  }

  /** The first message of a tenant with accepted events, from a sequence on. */
  async nextAccepted(shard: number, tenantId: string, from: number): Promise<StreamMessage | undefined> {
    return this.#get(shard, { seq: Math.max(1, from), next_by_subj: `events.${shard}.${tenantId}.*` });
  }

  /** A tenant's messages from one sequence up to another, in order. */
  async *messages(
    shard: number,
    { tenantId, from, to }: { tenantId: string; from: number; to: number },
  ): AsyncGenerator<StreamMessage> {
    const query = { stream: streamName(shard), subject: `*.${shard}.${tenantId}.*`, maxBytes: READ_BYTES };
    for (let seq = Math.max(1, from); seq <= to;) {
      const next = await askStream(() => nextMessages(this.#connection, this.#manager, { ...query, seq }));
      for (const message of next.messages) if (message.sequence <= to) yield message;
      if (next.complete) return;
      seq = next.messages.at(-1)!.sequence + 1;
    }
  }

  async #get(shard: number, query: { seq: number; next_by_subj?: string }): Promise<StreamMessage | undefined> {
    try {
      const message = await this.#manager.streams.getMessage(streamName(shard), query);
      return message ? asStreamMessage(message) : undefined;
    } catch (error) {
      if ((error as { code?: number }).code === NO_MESSAGE) return undefined;
      return askStream(() => Promise.reject(error as Error));
    }
  }

  async #count(): Promise<number | undefined> {
    let count = 0;
    while (await askStream(() => streamInfo(this.#manager, streamName(count)))) count++;
    return count === 0 ? undefined : count;
  }
}

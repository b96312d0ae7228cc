import { jetstream } from '@nats-io/jetstream';
import { Kvm, type KV } from '@nats-io/kv';
import { PROGRESS_BUCKET, shardKey } from './buckets.ts';
import type { NatsConnection } from './nats.ts';

/** How far a shard's stream is committed: everything up to and including `floor` is in the lake. */
export interface ShardProgress {
  /** Creation time of the stream this is about, as JetStream reports it. */
  created: string;
  floor: number;
  /** When the floor was written, ISO 8601. */
  at: string;
}

/**
 * The acknowledgement of a shard's stream. Losing it costs reading again: what is in the lake is told by the Delta log's
 * txns. So it need not be compared and set: a floor is only ever written when all up to it is committed.
 */
export class Progress {
  readonly #kv: KV;

  private constructor(kv: KV) {
    this.#kv = kv;
  }

  static async open(
    connection: NatsConnection,
    { replicas, timeoutMs = 5_000 }: { replicas: number; timeoutMs?: number },
  ): Promise<Progress> {
    const client = jetstream(connection, { timeout: timeoutMs });
    return new Progress(await new Kvm(client).create(PROGRESS_BUCKET, { history: 1, replicas }));
  }

  /** The floor of a stream; 0 where nothing is known of it, or of another stream of that name. */
  async floor(shard: number, created: string): Promise<number> {
    return floorOf(await this.read(shard), created);
  }

  /** What is known of a shard's stream, whichever it is. */
  async read(shard: number): Promise<ShardProgress | undefined> {
    const entry = await this.#kv.get(shardKey(shard));
    return entry?.operation === 'PUT' ? entry.json<ShardProgress>() : undefined;
  }

  async acknowledge(shard: number, created: string, floor: number): Promise<void> {
    const progress: ShardProgress = { created, floor, at: new Date().toISOString() };
    await this.#kv.put(shardKey(shard), JSON.stringify(progress));
  }
}

/** The floor of the stream created then; 0 where the progress is another's. */
export function floorOf(progress: ShardProgress | undefined, created: string): number {
  return progress?.created === created ? progress.floor : 0;
}

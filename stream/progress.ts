import { jetstream } from '@nats-io/jetstream';
import { Kvm, type KV } from '@nats-io/kv';
import { PROGRESS_BUCKET, shardKey } from './buckets.ts';
import type { NatsConnection } from './nats.ts';

const JS_STREAM_NOT_FOUND = 10059;

/** Committed position of a shard's stream. The lake holds everything up to and including `floor`. */
export interface ShardProgress {
  /** Creation time of the stream, as JetStream reports it. */
  created: string;
  floor: number;
  /** Store time of the message at the floor, in milliseconds since 1970. Absent: written by an earlier version. */
  storedMs?: number;
  /** When the floor was written, ISO 8601. */
  at: string;
  /** Number of messages committed above `through`, or else above the floor: of tenants that are further. Absent: none. */
  ahead?: number;
  /** Position of the tenants that are not parked, above the floor; absent while none is. */
  through?: number;
  /** Tenants whose tables cannot be written. Their messages above the floor wait. */
  parked?: ParkedTenant[];
}

/** A tenant whose messages wait until its tables can be written again. */
export interface ParkedTenant {
  tenantId: string;
  /** Code of LAKE_ERRORS. */
  code: string;
  message: string;
  /** ISO 8601. */
  since: string;
}

/**
 * Committed positions of the shards' streams, in a KV bucket.
 *
 * A lost position costs only repeated reads, because the `txn` map of the Delta log is the truth. A position is written
 * only after all commits up to it, so a plain put is enough.
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

  /** For readers, which may not create the bucket. It may be missing until a processor starts. */
  static async openToRead(connection: NatsConnection, { timeoutMs }: { timeoutMs: number }): Promise<Progress> {
    const client = jetstream(connection, { timeout: timeoutMs });
    // Not a direct read: only the leader tells a missing bucket from one that is away.
    return new Progress(await new Kvm(client).open(PROGRESS_BUCKET, { allow_direct: false }));
  }

  /** Committed position of a stream, or of one tenant in it; 0 if unknown or of another stream. */
  async floor(shard: number, created: string, tenantId?: string): Promise<number> {
    const progress = await this.read(shard);
    return tenantId === undefined ? floorOf(progress, created) : positionFor(progress, created, tenantId);
  }

  /** Record of a shard, whichever stream it is about. */
  async read(shard: number): Promise<ShardProgress | undefined> {
    const entry = await this.#kv.get(shardKey(shard)).catch((error: unknown) => {
      if ((error as { code?: number }).code === JS_STREAM_NOT_FOUND) return undefined;
      throw error;
    });
    return entry?.operation === 'PUT' ? entry.json<ShardProgress>() : undefined;
  }

  async acknowledge(
    shard: number,
    created: string,
    floor: number,
    { storedMs, ...parked }: Pick<ShardProgress, 'storedMs' | 'ahead' | 'through' | 'parked'> = {},
  ): Promise<void> {
    const at = new Date().toISOString();
    const progress: ShardProgress = { created, floor, ...(storedMs === undefined ? {} : { storedMs }), at, ...parked };
    await this.#kv.put(shardKey(shard), JSON.stringify(progress));
  }
}

/** Committed position in a record; 0 if it is about another stream. */
export function floorOf(progress: ShardProgress | undefined, created: string): number {
  return progress?.created === created ? progress.floor : 0;
}

/** Position up to which the lake holds a tenant's messages. That of a parked tenant is the floor. */
export function positionFor(progress: ShardProgress | undefined, created: string, tenantId: string): number {
  const floor = floorOf(progress, created);
  const { through = floor, parked = [] } = progress?.created === created ? progress : {};
  return parked.some((tenant) => tenant.tenantId === tenantId) ? floor : Math.max(floor, through);
}

import { jetstream } from '@nats-io/jetstream';
import { Kvm, type KV, type KvEntry } from '@nats-io/kv';
import { LEASES_BUCKET } from '../../stream/buckets.ts';
import { BucketWatch } from '../../stream/bucketWatch.ts';
import { isCasConflict } from '../../stream/casConflict.ts';
import type { Logger } from '../../runtime/log.ts';
import type { NatsConnection } from '../../stream/nats.ts';
import type { ShardRange } from '../../schemas/subjects.ts';
import type { SharingView } from './sharing.ts';
import { HOUR_MS } from '../../runtime/units.ts';

const SHARD_KEY = 'shard.';
const PROCESSOR_KEY = 'processor.';
/**
 * Room for the revisions of one bucket within an epoch.
 *
 * 2^33 times the hours since 1970 stays a safe integer until 2088.
 */
const REVISIONS = 2 ** 33;

/** A processor's claim to a shard, until it expires. */
export interface ShardLease {
  readonly shard: number;
  /** Fencing number, higher for every later owner (`Leases.exceed`). */
  readonly epoch: number;
  /** Time before which nobody can take the shard, on `performance.now()`'s clock. */
  validUntil: number;
  revision: number;
}

/**
 * Leases and presence in a KV bucket whose entries expire unless renewed.
 *
 * Creating a key takes a shard. Updating the key at its revision keeps the shard, and deleting it releases the shard.
 * Each is a compare-and-set at the server, so one processor holds a shard. Correctness rests on the Delta log's `txn`
 * and fence: leases only distribute work.
 */
export class Leases {
  readonly #connection: NatsConnection;
  readonly #replicas: number;
  #kv!: KV;
  readonly id: string;
  readonly #leaseMs: number;
  #bucketEpoch = 0;
  #created = '';
  readonly #log: Logger;
  /** Highest epoch of each shard, of leases here and of owners that were seen. */
  readonly #highest = new Map<number, number>();
  /** Last known entries, each with its end. The server does not announce an expiry. */
  readonly #seen = new Map<string, { holder: string; until: number }>();
  readonly #changed: () => void;
  #watch: BucketWatch<undefined> | undefined;

  private constructor(connection: NatsConnection, options: LeasesOptions) {
    this.#connection = connection;
    this.#replicas = options.replicas;
    this.id = options.id;
    this.#leaseMs = options.leaseMs;
    this.#log = options.log;
    this.#changed = options.changed;
  }

  static async open(connection: NatsConnection, options: LeasesOptions): Promise<Leases> {
    const leases = new Leases(connection, options);
    await leases.reopen();
    return leases;
  }

  /** Creation time of the bucket, as JetStream reports it. */
  get created(): string {
    return this.#created;
  }

  /** Opens the bucket, and creates it if it is missing. Leases of an earlier bucket are lost. */
  async reopen(): Promise<void> {
    const leaseMs = this.#leaseMs;
    // A call takes at most a third of a lease, so that renewals stay on time.
    const client = jetstream(this.#connection, { timeout: Math.ceil(leaseMs / 3) });
    const kv = await new Kvm(client).create(LEASES_BUCKET, { ttl: leaseMs, replicas: this.#replicas });
    const { streamInfo, ttl } = await kv.status();
    if (ttl !== leaseMs) {
      const manager = await client.jetstreamManager();
      const max_age = leaseMs * 1e6;
      await manager.streams.update(streamInfo.config.name, { max_age, duplicate_window: Math.min(max_age, 120e9) });
    }
    this.#kv = kv;
    this.#created = streamInfo.created;
    this.#bucketEpoch = Math.floor(new Date(streamInfo.created).getTime() / HOUR_MS) * REVISIONS;
    // A running watch follows the new bucket by itself.
    this.#watch ??= await BucketWatch.start({
      connection: this.#connection,
      kv,
      bucket: LEASES_BUCKET,
      log: this.#log,
      begin: () => undefined,
      apply: (_, entry) => this.#note(entry),
    });
  }

  /** Living processors and holders of a range's shards in order, by the last known entries. */
  view({ first, shards }: ShardRange): SharingView {
    const now = performance.now();
    const processors = new Set([this.id]);
    const holders = Array.from<string | undefined>({ length: shards });
    for (const [key, { holder, until }] of this.#seen) {
      if (until < now) this.#seen.delete(key);
      else if (key.startsWith(PROCESSOR_KEY)) processors.add(holder);
      else {
        const index = Number(key.slice(SHARD_KEY.length)) - first;
        if (index >= 0 && index < shards) holders[index] = holder;
      }
    }
    return { me: this.id, processors: [...processors], holders };
  }

  /** Announces that this processor is alive and wants its share. */
  async announce(): Promise<void> {
    await this.#kv.put(PROCESSOR_KEY + this.id, this.id);
  }

  /** Announces that this processor leaves. */
  async retire(): Promise<void> {
    await this.#kv.delete(PROCESSOR_KEY + this.id);
  }

  /** Takes a free shard; undefined if another processor holds it. */
  async acquire(shard: number): Promise<ShardLease | undefined> {
    const sentAt = performance.now();
    const key = SHARD_KEY + shard;
    try {
      const revision = await this.#kv.create(key, this.id);
      this.#hear(key, this.id, 0);
      const epoch = Math.max(this.#bucketEpoch + revision, (this.#highest.get(shard) ?? 0) + 1);
      this.exceed(shard, epoch);
      return { shard, epoch, validUntil: sentAt + this.#leaseMs, revision };
    } catch (error) {
      if (!isCasConflict(error)) throw error;
      const entry = await this.#kv.get(key);
      if (entry?.operation === 'PUT') this.#hear(key, entry.string(), age(entry));
      return undefined;
    }
  }

  /**
   * Makes the next lease of a shard exceed an epoch that the lake or the intents know.
   *
   * The revisions of a bucket that was restored, or made anew within the hour, are lower than those before. Whoever takes a
   * shard after that is its latest owner all the same.
   */
  exceed(shard: number, epoch: number): void {
    this.#highest.set(shard, Math.max(epoch, this.#highest.get(shard) ?? 0));
  }

  /**
   * Renews a lease for its full time; false if it is lost.
   * @throws Error if the server did not answer; the lease stands until `validUntil`, and a retry is allowed
   */
  async renew(lease: ShardLease): Promise<boolean> {
    const sentAt = performance.now();
    const key = SHARD_KEY + lease.shard;
    try {
      lease.revision = await this.#kv.update(key, this.id, lease.revision);
    } catch (error) {
      if (!isCasConflict(error)) throw error;
      // A renewal without an answer may have moved the revision: the lease is still held.
      const entry = await this.#kv.get(key);
      if (entry?.operation !== 'PUT' || entry.string() !== this.id) return false;
      lease.revision = entry.revision;
      return true;
    }
    lease.validUntil = sentAt + this.#leaseMs;
    this.#hear(key, this.id, 0);
    return true;
  }

  /** Releases a shard, so that another processor can take it at once. */
  async release(lease: ShardLease): Promise<void> {
    this.#seen.delete(SHARD_KEY + lease.shard);
    try {
      await this.#kv.delete(SHARD_KEY + lease.shard, { previousSeq: lease.revision });
    } catch (error) {
      if (!isCasConflict(error)) throw error;
    }
  }

  stop(): void {
    this.#watch?.stop();
  }

  #hear(key: string, holder: string, ageMs: number): void {
    this.#seen.set(key, { holder, until: performance.now() + this.#leaseMs - Math.min(ageMs, this.#leaseMs) });
  }

  #note(entry: KvEntry): void {
    if (entry.operation === 'PUT') {
      const known = this.#seen.get(entry.key)?.holder === entry.string();
      // A shard that is wrongly free costs a failed create. A processor that is wrongly dead would lose its share.
      this.#hear(entry.key, entry.string(), entry.key.startsWith(SHARD_KEY) ? age(entry) : 0);
      if (known) return;
    } else {
      this.#seen.delete(entry.key);
    }
    this.#changed();
  }
}

/** Milliseconds since an entry was written, if both clocks agree. */
function age(entry: KvEntry): number {
  return Math.max(0, Date.now() - entry.created.getTime());
}

export interface LeasesOptions {
  /** Id of this process, never used again. */
  id: string;
  leaseMs: number;
  replicas: number;
  log: Logger;
  /** Called when a processor comes or goes, or a shard changes hands. */
  changed: () => void;
}

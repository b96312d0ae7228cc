import { jetstream } from '@nats-io/jetstream';
import { Kvm, type KV, type KvEntry } from '@nats-io/kv';
import { LEASES_BUCKET } from '../../stream/buckets.ts';
import { isCasConflict } from '../../stream/casConflict.ts';
import type { Logger } from '../../runtime/log.ts';
import type { NatsConnection } from '../../stream/nats.ts';
import type { SharingView } from './sharing.ts';
import { HOUR_MS } from '../../runtime/units.ts';

const SHARD_KEY = 'shard.';
const PROCESSOR_KEY = 'processor.';
/** Room for the revisions of one bucket within an epoch; 2^33 times the hours since 1970 stays a safe integer until 2088. */
const REVISIONS = 2 ** 33;

/** The right to write a shard, for as long as it is renewed. */
export interface ShardLease {
  readonly shard: number;
  /** Fencing number: higher for every later owner, also after the bucket itself was lost and made again. */
  readonly epoch: number;
  /** Until when nobody else can have taken it, on `performance.now()`'s clock. */
  validUntil: number;
  revision: number;
}

/**
 * Leases and presence in a KV bucket whose entries vanish when they are not renewed. Creating a key takes a shard, updating
 * it at its revision keeps it, deleting it at its revision gives it up: each is a compare-and-set at the server, so that
 * one processor holds a shard. Correctness rests on the Delta log's txn and fence, not on leases: they say who should work.
 */
export class Leases {
  readonly #kv: KV;
  readonly id: string;
  readonly #leaseMs: number;
  readonly #bucketEpoch: number;
  readonly #log: Logger;
  /** Entries as last heard of, with the time of hearing: an expired entry is not announced by the server. */
  readonly #seen = new Map<string, { holder: string; until: number }>();
  readonly #changed: () => void;
  #stopWatch: () => void = () => undefined;

  private constructor(kv: KV, options: LeasesOptions & { createdMs: number }) {
    this.#kv = kv;
    this.id = options.id;
    this.#leaseMs = options.leaseMs;
    this.#bucketEpoch = Math.floor(options.createdMs / HOUR_MS) * REVISIONS;
    this.#log = options.log;
    this.#changed = options.changed;
  }

  static async open(connection: NatsConnection, options: LeasesOptions): Promise<Leases> {
    // No call may take longer than a third of a lease: renewing must get its turn.
    const client = jetstream(connection, { timeout: Math.ceil(options.leaseMs / 3) });
    const kv = await new Kvm(client).create(LEASES_BUCKET, { ttl: options.leaseMs, replicas: options.replicas });
    const { streamInfo, ttl } = await kv.status();
    if (ttl !== options.leaseMs) {
      const manager = await client.jetstreamManager();
      const max_age = options.leaseMs * 1e6;
      await manager.streams.update(streamInfo.config.name, { max_age, duplicate_window: Math.min(max_age, 120e9) });
    }
    const leases = new Leases(kv, { ...options, createdMs: new Date(streamInfo.created).getTime() });
    await leases.#watch();
    return leases;
  }

  /** Who is alive and holds what, by what was heard last. */
  view(shards: number): SharingView {
    const now = performance.now();
    const processors = new Set([this.id]);
    const holders = Array.from<string | undefined>({ length: shards });
    for (const [key, { holder, until }] of this.#seen) {
      if (until < now) this.#seen.delete(key);
      else if (key.startsWith(PROCESSOR_KEY)) processors.add(holder);
      else if (Number(key.slice(SHARD_KEY.length)) < shards) holders[Number(key.slice(SHARD_KEY.length))] = holder;
    }
    return { me: this.id, processors: [...processors], holders };
  }

  /** Says that this processor is alive and wants its share. */
  async announce(): Promise<void> {
    await this.#kv.put(PROCESSOR_KEY + this.id, this.id);
  }

  /** Says that this processor is leaving. */
  async retire(): Promise<void> {
    await this.#kv.delete(PROCESSOR_KEY + this.id);
  }

  /** Takes a free shard; undefined when another holds it. */
  async acquire(shard: number): Promise<ShardLease | undefined> {
    const sentAt = performance.now();
    const key = SHARD_KEY + shard;
    try {
      const revision = await this.#kv.create(key, this.id);
      this.#hear(key, this.id, 0);
      return { shard, epoch: this.#bucketEpoch + revision, validUntil: sentAt + this.#leaseMs, revision };
    } catch (error) {
      if (!isCasConflict(error)) throw error;
      const entry = await this.#kv.get(key);
      if (entry?.operation === 'PUT') this.#hear(key, entry.string(), age(entry));
      return undefined;
    }
  }

  /**
   * Keeps a lease for its full time from now on; false when it is lost.
   * @throws Error when the server did not answer: the lease stands until `validUntil`, and this may be tried again.
   */
  async renew(lease: ShardLease): Promise<boolean> {
    const sentAt = performance.now();
    const key = SHARD_KEY + lease.shard;
    try {
      lease.revision = await this.#kv.update(key, this.id, lease.revision);
    } catch (error) {
      if (!isCasConflict(error)) throw error;
      // An earlier renewal whose answer was lost has moved the revision: the lease is still ours then.
      const entry = await this.#kv.get(key);
      if (entry?.operation !== 'PUT' || entry.string() !== this.id) return false;
      lease.revision = entry.revision;
      return true;
    }
    lease.validUntil = sentAt + this.#leaseMs;
    this.#hear(key, this.id, 0);
    return true;
  }

  /** Gives a shard up, so that another can take it at once. */
  async release(lease: ShardLease): Promise<void> {
    this.#seen.delete(SHARD_KEY + lease.shard);
    try {
      await this.#kv.delete(SHARD_KEY + lease.shard, { previousSeq: lease.revision });
    } catch (error) {
      if (!isCasConflict(error)) throw error;
    }
  }

  stop(): void {
    this.#stopWatch();
  }

  #hear(key: string, holder: string, ageMs: number): void {
    this.#seen.set(key, { holder, until: performance.now() + this.#leaseMs - Math.min(ageMs, this.#leaseMs) });
  }

  async #watch(): Promise<void> {
    const watch = await this.#kv.watch();
    this.#stopWatch = () => watch.stop();
    const follow = async (): Promise<void> => {
      for await (const entry of watch) this.#note(entry);
    };
    follow().catch((error: unknown) => this.#log.error({ err: error }, 'the watch on leases ended'));
  }

  #note(entry: KvEntry): void {
    if (entry.operation === 'PUT') {
      const known = this.#seen.get(entry.key)?.holder === entry.string();
      // A shard thought free too early costs a refused create; a processor thought dead too early would cost its share.
      this.#hear(entry.key, entry.string(), entry.key.startsWith(SHARD_KEY) ? age(entry) : 0);
      if (known) return;
    } else {
      this.#seen.delete(entry.key);
    }
    this.#changed();
  }
}

/** Milliseconds since an entry was written, as far as this machine's clock agrees with the server's. */
function age(entry: KvEntry): number {
  return Math.max(0, Date.now() - entry.created.getTime());
}

export interface LeasesOptions {
  /** This process, never used again by another. */
  id: string;
  leaseMs: number;
  replicas: number;
  log: Logger;
  /** Called when a processor or shard has come or gone. */
  changed: () => void;
}

import { Kvm, type KV, type KvEntry } from '@nats-io/kv';
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import type { NatsConnection } from '../../stream/nats.ts';
import { INTENTS_BUCKET, shardKey } from '../../stream/buckets.ts';
import { isCasConflict } from '../../stream/casConflict.ts';

/**
 * Bytes above which a value is compressed.
 *
 * Compression fits the paths of 100,000 files into one message.
 */
const PLAIN_BYTES = 65_536;
const OPENING_BRACKET = 91;
/**
 * Time for which recovered intents stay recorded.
 *
 * An owner that was suspended during its uploads leaves no files later than this.
 */
const KEEP_LEFT_MS = 600_000;

/** Data files by table root; paths within the table. */
export type FilesByTable = Record<string, string[]>;

/** Uploads of an owner, for the next owner's cleanup. */
export interface Intent {
  epoch: number;
  /** The stream's appId in the owner's commits. */
  appId: string;
  files: FilesByTable;
  /**
   * Time of the fence and the deletion by the stream server's clock, in milliseconds since 1970.
   *
   * Absent: the files may still be committed.
   */
  recoveredMs?: number;
}

/** Loss of a shard to a later owner. */
export class LostShardError extends Error {
  /** Epoch of the later owner, if it is known. */
  readonly later: number | undefined;

  constructor(message: string, later?: number) {
    super(message);
    this.later = later;
    this.name = 'LostShardError';
  }
}

interface Owner {
  shard: number;
  epoch: number;
  appId: string;
}

/**
 * Record of the paths that a shard's owner is about to upload.
 *
 * The record is kept outside the lake, so that the files are found after the owner dies. Every write is a
 * compare-and-set on the owner's previous write. After a new owner's write, an old owner cannot record, and so does not
 * upload.
 */
export class Intents {
  readonly #kv: KV;
  readonly #owner: Owner;
  #left: Intent[];
  #revision: number;
  #recorded = false;

  private constructor(kv: KV, owner: Owner, { left, revision }: { left: Intent[]; revision: number }) {
    this.#kv = kv;
    this.#owner = owner;
    this.#left = left;
    this.#revision = revision;
  }

  /**
   * Takes over the record.
   *
   * The intents of earlier owners stay recorded, so that a death now loses nothing.
   * @throws LostShardError if a later owner has the record
   */
  static async takeOver(connection: NatsConnection, owner: Owner, replicas: number): Promise<Intents> {
    const kv = await new Kvm(connection).create(INTENTS_BUCKET, { history: 1, replicas });
    for (;;) {
      const entry = await kv.get(shardKey(owner.shard));
      const found = entry?.operation === 'PUT';
      const left = found ? decode(entry) : [];
      const later = left.find((intent) => intent.epoch > owner.epoch);
      if (later)
        throw new LostShardError(
          `shard ${owner.shard} has an owner of epoch ${later.epoch}, this is ${owner.epoch}`,
          later.epoch,
        );
      const value = encode([...left, intentOf(owner, {})]);
      try {
        // A read may come from a stale replica; the compare-and-set does not.
        const revision = found
          ? await kv.update(shardKey(owner.shard), value, entry.revision)
          : await kv.create(shardKey(owner.shard), value);
        return new Intents(kv, owner, { left: left.filter(({ files }) => Object.keys(files).length > 0), revision });
      } catch (error) {
        if (!isCasConflict(error)) throw error;
      }
    }
  }

  /** Intents that earlier owners left. */
  get left(): readonly Intent[] {
    return this.#left;
  }

  /**
   * Records what is left of the intents of earlier owners after a cleanup.
   *
   * Cleaned ones stay recorded for a while, for another cleanup.
   * @throws LostShardError
   */
  async recovered(cleaned: readonly Intent[], kept: readonly Intent[] = []): Promise<void> {
    // The record was written at the takeover: no host's clock decides how long it stays.
    const written = await this.#kv.get(shardKey(this.#owner.shard));
    const now = written?.created.getTime() ?? 0;
    const stamped = cleaned
      .map((intent) => ({ ...intent, recoveredMs: intent.recoveredMs ?? now }))
      .filter(({ files, recoveredMs }) => Object.keys(files).length > 0 && recoveredMs > now - KEEP_LEFT_MS);
    this.#left = [...stamped, ...kept];
    await this.#write({});
  }

  /** Records files about to be uploaded. @throws LostShardError */
  async record(files: FilesByTable): Promise<void> {
    this.#recorded = true;
    await this.#write(files);
  }

  /** Clears the record once the files are committed or deleted. @throws LostShardError */
  async clear(): Promise<void> {
    if (!this.#recorded) return;
    await this.#write({});
    this.#recorded = false;
  }

  async #write(files: FilesByTable): Promise<void> {
    const value = encode([...this.#left, intentOf(this.#owner, files)]);
    try {
      this.#revision = await this.#kv.update(shardKey(this.#owner.shard), value, this.#revision);
    } catch (error) {
      if (!isCasConflict(error)) throw error;
      const entry = await this.#kv.get(shardKey(this.#owner.shard));
      // A write without an answer may have arrived: then the record is correct.
      if (!entry || !value.equals(entry.value)) {
        throw new LostShardError(`the intents of shard ${this.#owner.shard} were taken over by another owner`);
      }
      this.#revision = entry.revision;
    }
  }
}

function intentOf({ epoch, appId }: Owner, files: FilesByTable): Intent {
  return { epoch, appId, files };
}

function encode(intents: readonly Intent[]): Buffer {
  const plain = Buffer.from(JSON.stringify(intents));
  return plain.length > PLAIN_BYTES ? deflateRawSync(plain) : plain;
}

function decode({ value }: KvEntry): Intent[] {
  const plain = value[0] === OPENING_BRACKET ? Buffer.from(value) : inflateRawSync(value);
  return JSON.parse(plain.toString('utf8')) as Intent[];
}

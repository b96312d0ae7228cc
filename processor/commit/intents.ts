import { Kvm, type KV, type KvEntry } from '@nats-io/kv';
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import type { NatsConnection } from '../../stream/nats.ts';
import { INTENTS_BUCKET, shardKey } from '../../stream/buckets.ts';
import { isCasConflict } from '../../stream/casConflict.ts';

/** A value above this is compressed; paths shrink to a tenth, so that a window of 100,000 files fits into a message. */
const PLAIN_BYTES = 65_536;
const OPENING_BRACKET = 91;
/** An owner that was stopped in the middle of its uploads and killed as it went on leaves its files this late at most. */
const KEEP_LEFT_MS = 600_000;

/** Data files by table root; paths within the table. */
export type FilesByTable = Record<string, string[]>;

/** What an owner of a shard was doing, for the next one to clean up after. */
export interface Intent {
  epoch: number;
  /** The stream's appId of its commits. */
  appId: string;
  files: FilesByTable;
  /** When these files were found uncommitted, fenced off and deleted, in milliseconds since 1970. */
  recoveredMs?: number;
}

/** This processor is not the shard's owner any more: a later one has taken it over. */
export class LostShardError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'LostShardError';
  }
}

interface Owner {
  shard: number;
  epoch: number;
  appId: string;
}

/**
 * The paths a shard's owner is about to upload, kept outside of the lake so that they are found if it dies. Every write is a
 * compare-and-set on the owner's own last one: once a new owner has written, an old one cannot record, and what it cannot
 * record it does not upload.
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
   * Takes the record over. What the owners before left stays recorded, so that dying now loses nothing.
   * @throws LostShardError when a later owner has it.
   */
  static async takeOver(connection: NatsConnection, owner: Owner, replicas: number): Promise<Intents> {
    const kv = await new Kvm(connection).create(INTENTS_BUCKET, { history: 1, replicas });
    for (;;) {
      const entry = await kv.get(shardKey(owner.shard));
      const found = entry?.operation === 'PUT';
      const left = found ? decode(entry) : [];
      const later = left.find((intent) => intent.epoch > owner.epoch);
      if (later)
        throw new LostShardError(`shard ${owner.shard} has an owner of epoch ${later.epoch}, this is ${owner.epoch}`);
      const value = encode([...left, intentOf(owner, {})]);
      try {
        // A read may come from a replica that is behind; the compare-and-set does not.
        const revision = found
          ? await kv.update(shardKey(owner.shard), value, entry.revision)
          : await kv.create(shardKey(owner.shard), value);
        return new Intents(kv, owner, { left: left.filter(({ files }) => Object.keys(files).length > 0), revision });
      } catch (error) {
        if (!isCasConflict(error)) throw error;
      }
    }
  }

  /** What owners before left behind. */
  get left(): readonly Intent[] {
    return this.#left;
  }

  /**
   * The given remains of earlier owners are cleaned up. They are remembered a while longer, to be looked after again.
   * @throws LostShardError
   */
  async recovered(left: readonly Intent[]): Promise<void> {
    const now = Date.now();
    this.#left = left
      .map((intent) => ({ ...intent, recoveredMs: intent.recoveredMs ?? now }))
      .filter(({ files, recoveredMs }) => Object.keys(files).length > 0 && recoveredMs > now - KEEP_LEFT_MS);
    await this.#write({});
  }

  /** Records files about to be uploaded. @throws LostShardError */
  async record(files: FilesByTable): Promise<void> {
    this.#recorded = true;
    await this.#write(files);
  }

  /** Forgets them, as they are committed or deleted. @throws LostShardError */
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
      // A write whose answer was lost has arrived: the record is as wanted.
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

import { Kvm, type KV } from '@nats-io/kv';
import type { Logger } from './log.ts';
import type { NatsConnection } from './nats.ts';

/** Records in a KV bucket under the hash of a secret: instrumentation keys, read tokens. */
export interface SecretStore<T> {
  get(hash: string): Promise<T | undefined>;
  /** @throws Error when the hash is taken. */
  create(hash: string, record: T): Promise<void>;
  /** Replaces the record, refusing to overwrite a change made meanwhile. Undefined where there is none. */
  update(hash: string, change: (record: T) => T): Promise<T | undefined>;
  list(): Promise<{ hash: string; record: T }[]>;
}

/** All records of a bucket, followed as they change. */
export interface SecretWatch<T> {
  get(hash: string): T | undefined;
  readonly size: number;
  stop(): void;
}

/** Opens a bucket, creating it on first use. */
export async function openSecretStore<T>(
  connection: NatsConnection,
  bucket: string,
  replicas: number,
): Promise<SecretStore<T>> {
  const kv = await new Kvm(connection).create(bucket, { history: 5, replicas });
  return {
    async get(hash) {
      const entry = await kv.get(hash);
      return entry && entry.operation === 'PUT' ? entry.json<T>() : undefined;
    },
    async create(hash, record) {
      await kv.create(hash, JSON.stringify(record));
    },
    async update(hash, change) {
      const entry = await kv.get(hash);
      if (!entry || entry.operation !== 'PUT') return undefined;
      const record = change(entry.json<T>());
      await kv.update(hash, JSON.stringify(record), entry.revision);
      return record;
    },
    async list() {
      const records: { hash: string; record: T }[] = [];
      for await (const hash of await kv.keys()) {
        const entry = await kv.get(hash);
        if (entry && entry.operation === 'PUT') records.push({ hash, record: entry.json<T>() });
      }
      return records;
    },
  };
}

/**
 * Follows a bucket until stopped; resolves once every record that exists now is known. While the server is away it goes on
 * with what it knows, and catches up by itself.
 */
export async function watchSecrets<T>(
  connection: NatsConnection,
  bucket: string,
  replicas: number,
  log: Logger,
): Promise<SecretWatch<T>> {
  const kv = await new Kvm(connection).create(bucket, { history: 5, replicas });
  const records = new Map<string, T>();
  const watch = await kv.watch();
  const following = follow(kv, watch, records, log);
  await following.complete;
  return {
    get: (hash) => records.get(hash),
    get size() {
      return records.size;
    },
    stop: () => watch.stop(),
  };
}

function follow<T>(
  kv: KV,
  watch: Awaited<ReturnType<KV['watch']>>,
  records: Map<string, T>,
  log: Logger,
): { complete: Promise<void> } {
  const { promise: complete, resolve, reject } = Promise.withResolvers<void>();
  const run = async (): Promise<void> => {
    // The watch has no mark for "all known now": an empty bucket sends nothing, otherwise `delta` counts down to 0.
    if ((await kv.status()).values === 0) resolve();
    for await (const entry of watch) {
      if (entry.operation !== 'PUT') records.delete(entry.key);
      else {
        try {
          records.set(entry.key, entry.json<T>());
        } catch (error) {
          log.error(
            { err: error, key: entry.key.slice(0, 16) },
            'a record in the key bucket is not JSON and was ignored',
          );
        }
      }
      if (entry.delta === 0) resolve();
    }
  };
  run().catch(reject);
  return { complete };
}

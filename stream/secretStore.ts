import { Kvm, type KV, type KvEntry } from '@nats-io/kv';
import type { MsgHdrs } from '@nats-io/transport-node';
import type { Logger } from '../runtime/log.ts';
import type { NatsConnection } from './nats.ts';
import { backoffMs, delay } from '../runtime/retry.ts';

/** Records of instrumentation keys or read tokens, by the secret's hash. */
export interface SecretStore<T> {
  get(hash: string): Promise<T | undefined>;
  /** @throws Error when the hash is taken. */
  create(hash: string, record: T): Promise<void>;
  /** Replaces the record by compare-and-set. Undefined: there is none. */
  update(hash: string, change: (record: T) => T): Promise<T | undefined>;
  list(): Promise<{ hash: string; record: T }[]>;
}

/** All records of a bucket, kept current. */
export interface SecretWatch<T> {
  get(hash: string): T | undefined;
  /** Hashes and records, in no order. */
  entries(): Iterable<[string, T]>;
  readonly size: number;
  /** Time since which changes may be missing, in milliseconds since 1970. Undefined: none are missing. */
  readonly staleSinceMs: number | undefined;
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
 * Follows a bucket until stopped; resolves once all existing records are known.
 *
 * While the server is away, the last known records stay in use. After a reconnect the bucket is read again, because the
 * server may have dropped the watch. The client would notice that many seconds later, by missing heartbeats.
 */
export async function watchSecrets<T>(
  connection: NatsConnection,
  bucket: string,
  replicas: number,
  log: Logger,
): Promise<SecretWatch<T>> {
  const kv = await new Kvm(connection).create(bucket, { history: 5, replicas });
  const stopped = new AbortController();
  let staleSinceMs: number | undefined;
  let reading = 0;
  let current = await readAndFollow<T>(kv, log);

  const readAgain = async (): Promise<void> => {
    const run = ++reading;
    for (let attempt = 0; run === reading && !stopped.signal.aborted; attempt++) {
      try {
        const next = await readAndFollow<T>(kv, log);
        if (stopped.signal.aborted) return next.stop();
        current.stop();
        current = next;
        if (run === reading) staleSinceMs = undefined;
        return;
      } catch (error) {
        if (attempt % 20 === 0)
          log.warn({ err: error, bucket }, 'a key bucket cannot be read, continuing with the known keys');
        await delay(backoffMs(attempt, { firstMs: 50, maxMs: 1_000 }), stopped.signal);
      }
    }
  };
  const followConnection = async (): Promise<void> => {
    for await (const { type } of connection.status()) {
      if (type === 'disconnect') staleSinceMs ??= Date.now();
      // Not awaited, because another disconnect may arrive during the read. The loop above ends by itself and throws
      // nothing.
      if (type === 'reconnect' && !stopped.signal.aborted) void readAgain();
    }
  };
  void followConnection();

  return {
    get: (hash) => current.records.get(hash),
    entries: () => current.records.entries(),
    get size() {
      return current.records.size;
    },
    get staleSinceMs() {
      return staleSinceMs;
    },
    stop: () => {
      stopped.abort();
      current.stop();
    },
  };
}

interface Following<T> {
  records: Map<string, T>;
  stop(): void;
}

/** Reads a whole bucket, then keeps its records current until stopped. */
async function readAndFollow<T>(kv: KV, log: Logger): Promise<Following<T>> {
  const records = new Map<string, T>();
  const watch = await kv.watch();
  const { promise: complete, resolve, reject } = Promise.withResolvers<void>();
  const run = async (): Promise<void> => {
    // A watch does not mark the last existing record. An empty bucket sends nothing; otherwise `delta` counts down to
    // 0.
    if ((await kv.status()).values === 0) resolve();
    for await (const entry of watch) {
      apply(records, entry, log);
      if (entry.delta === 0) resolve();
    }
    reject(new Error('the watch ended before the bucket was read'));
  };
  run().catch(reject);
  try {
    await complete;
  } catch (error) {
    watch.stop();
    throw error;
  }
  return { records, stop: () => watch.stop() };
}

function apply<T>(records: Map<string, T>, entry: KvEntry, log: Logger): void {
  if (isServersCopy(entry)) {
    log.error(
      { key: entry.key.slice(0, 16) },
      'a record in the key bucket was copied there by a request, and was ignored',
    );
    return;
  }
  if (entry.operation !== 'PUT') {
    records.delete(entry.key);
    return;
  }
  try {
    records.set(entry.key, entry.json<T>());
  } catch (error) {
    log.error({ err: error, key: entry.key.slice(0, 16) }, 'a record in the key bucket is not JSON and was ignored');
  }
}

/**
 * Whether the server itself wrote a watched entry, as its answer to a direct read (ADR-31).
 *
 * The server does not check reply subjects. So an identity that may only read a key could name a token's subject for
 * the answer, and make a token of the key's record.
 */
function isServersCopy(entry: KvEntry): boolean {
  // The client's interface leaves the message out.
  return (entry as unknown as { sm: { headers?: MsgHdrs } }).sm.headers?.has('Nats-Stream') ?? false;
}

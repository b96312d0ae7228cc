import { jetstream } from '@nats-io/jetstream';
import { Kvm, type KV, type KvEntry } from '@nats-io/kv';
import type { MsgHdrs } from '@nats-io/transport-node';
import type { Logger } from '../runtime/log.ts';
import { BucketWatch } from './bucketWatch.ts';
import type { NatsConnection } from './nats.ts';

/** Age of the last confirmation up to which records count as current: a change is in force within two seconds. */
const CURRENT_MS = 1_500;
const ANSWER_MS = 1_000;
const SECRETS_GONE =
  'a bucket of keys or tokens is empty now, and nobody has access: put back the store of nats-server, or run "npx spor restore"';

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
  /** Whether every change but the latest is known for certain. */
  readonly current: boolean;
  /** Waits until the records are current; false if they cannot be. */
  untilCurrent(): Promise<boolean>;
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
 * While the server is away, the last known records stay in use.
 */
export async function watchSecrets<T>(
  connection: NatsConnection,
  bucket: string,
  replicas: number,
  log: Logger,
  { mayMake = true }: { mayMake?: boolean } = {},
): Promise<SecretWatch<T>> {
  const kvm = new Kvm(jetstream(connection, { timeout: ANSWER_MS }));
  const open = (): Promise<KV> => kvm.create(bucket, { history: 5, replicas });
  const watch = await BucketWatch.start<Map<string, T>>({
    connection,
    kv: await open(),
    bucket,
    log,
    begin: () => new Map(),
    apply: (records, entry) => apply(records, entry, log),
    ...(mayMake ? { make: open } : {}),
    onReplaced: (before, now) => {
      if (before.size > 0 && now.size === 0)
        log.error({ code: 'secrets_gone', bucket, known: before.size }, SECRETS_GONE);
    },
  });
  return {
    get: (hash) => watch.state.get(hash),
    entries: () => watch.state.entries(),
    get size() {
      return watch.state.size;
    },
    get staleSinceMs() {
      return watch.staleSinceMs;
    },
    get current() {
      return performance.now() - watch.confirmedAtMs < CURRENT_MS;
    },
    untilCurrent: () => watch.confirmedSince(performance.now() - CURRENT_MS),
    stop: () => watch.stop(),
  };
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

import type { NatsConnection } from '../../stream/nats.ts';
import { delay } from '../../runtime/retry.ts';
import { openSecretStore, type SecretWatch } from '../../stream/secretStore.ts';
import { keyId, newSecret, secretHash, stateOf, type SecretRecord, type SecretState } from '../../schemas/keys.ts';
import { LakeError } from '../../lake/errors.ts';
import { LAKE_ERRORS } from '../../schemas/queryErrors.ts';
import { StreamUnavailableError } from '../../stream/errors.ts';

/** A key or token in lists. The secret is absent, because it is not stored. */
export type ListedSecret<T> = T & { id: string; state: SecretState };

/** Keys or tokens of this environment. */
export interface Secrets<T extends SecretRecord> {
  /** Oldest first. */
  list(nowMs: number): ListedSecret<T>[];
  /**
   * Creates a secret with the record's rights; only this answer has its text.
   * @throws StreamUnavailableError: the secret may exist all the same, and then the list shows it
   */
  create(prefix: Parameters<typeof newSecret>[0], record: T): Promise<{ secret: string; created: ListedSecret<T> }>;
  /**
   * Revokes a secret by its id; a second call changes nothing.
   * @throws LakeError secret_unknown; StreamUnavailableError
   */
  revoke(id: string, nowMs: number): Promise<ListedSecret<T>>;
}

const SEEN_WITHIN_MS = 1_000;

/** Reads from the watch, and writes to the bucket that it watches. */
export function createSecrets<T extends SecretRecord>(
  watch: SecretWatch<T>,
  options: { connection: NatsConnection; bucket: string; replicas: number },
): Secrets<T> {
  const open = (): ReturnType<typeof openSecretStore<T>> =>
    openSecretStore<T>(options.connection, options.bucket, options.replicas);
  const listed = (hash: string, record: T, nowMs: number): ListedSecret<T> => ({
    id: keyId(hash),
    state: stateOf(record, nowMs),
    ...record,
  });
  const find = (id: string): [string, T] => {
    for (const [hash, record] of watch.entries()) if (keyId(hash) === id) return [hash, record];
    throw new LakeError('secret_unknown', LAKE_ERRORS.secret_unknown.help);
  };
  return {
    list: (nowMs) =>
      [...watch.entries()]
        .map(([hash, record]) => listed(hash, record, nowMs))
        .sort((a, b) => a.createdAt.localeCompare(b.createdAt) || (a.id < b.id ? -1 : 1)),
    async create(prefix, record) {
      const secret = newSecret(prefix);
      const hash = secretHash(secret);
      await answered(async () => (await open()).create(hash, record));
      await seen(() => watch.get(hash) !== undefined);
      return { secret, created: listed(hash, record, Date.parse(record.createdAt)) };
    },
    async revoke(id, nowMs) {
      const [hash, known] = find(id);
      if (known.revokedAt !== undefined) return listed(hash, known, nowMs);
      const revokedAt = new Date(nowMs).toISOString();
      const record = await answered(async () => (await open()).update(hash, (current) => ({ ...current, revokedAt })));
      if (!record) throw new LakeError('secret_unknown', LAKE_ERRORS.secret_unknown.help);
      await seen(() => watch.get(hash)?.revokedAt !== undefined);
      return listed(hash, record, nowMs);
    },
  };
}

/**
 * Waits for the watch, so that the next list shows the change.
 *
 * A slow watch is no error: the list then shows the change later.
 */
async function seen(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + SEEN_WITHIN_MS;
  while (!condition() && performance.now() < deadline) await delay(5);
}

async function answered<R>(write: () => Promise<R>): Promise<R> {
  try {
    return await write();
  } catch (error) {
    throw new StreamUnavailableError(undefined, { cause: error });
  }
}

import type { ChangeFacts } from '../schemas/change.ts';
import type { NatsConnection } from '../stream/nats.ts';
import { openSecretStore, type SecretStore } from '../stream/secretStore.ts';
import { keyId, looksSecret, secretHash, type SecretRecord } from '../schemas/keys.ts';
import { isId } from '../schemas/subjects.ts';
import { UsageError } from './command.ts';

/**
 * Find a record by its id or by the secret itself.
 * An id is the 16 hex digits of `list`, or the first 8 or more of them.
 * @throws Error if none or several match
 */
export async function findSecret<T extends SecretRecord>(
  store: SecretStore<T>,
  named: string,
  what: 'key' | 'token',
): Promise<{ hash: string; record: T }> {
  const all = await store.list();
  const matching = looksSecret(named)
    ? all.filter(({ hash }) => hash === secretHash(named))
    : all.filter(({ hash }) => /^[0-9a-f]{8,64}$/.test(named) && hash.startsWith(named));
  if (matching.length === 1) return matching[0]!;
  if (matching.length > 1) throw new Error(`${named} names ${matching.length} ${what}s: give more digits of the id`);
  throw new Error(`there is no ${what} ${shortName(named)}: "spor ${what}s list" lists them`);
}

/**
 * Revoke a secret; a repetition changes nothing.
 * @returns the new record, and whether it was revoked before
 */
export async function revokeSecret<T extends SecretRecord>(
  connection: NatsConnection,
  options: { bucket: string; replicas: number; named: string; what: 'key' | 'token'; nowMs: number },
  note: (facts: ChangeFacts) => void,
): Promise<{ id: string; record: T; before: boolean }> {
  const store = await openSecretStore<T>(connection, options.bucket, options.replicas);
  const { hash, record } = await findSecret(store, options.named, options.what);
  const { tenantId, segmentId } = record as SecretRecord & Partial<Record<'tenantId' | 'segmentId', string>>;
  const of = { ...(tenantId === undefined ? {} : { tenantId }), ...(segmentId === undefined ? {} : { segmentId }) };
  note({ ...of, about: `${options.what} ${keyId(hash)}`, before: record, after: record });
  if (record.revokedAt) return { id: keyId(hash), record, before: true };
  const revokedAt = new Date(options.nowMs).toISOString();
  note({ after: { ...record, revokedAt } });
  const updated = await store.update(hash, (current) => ({ ...current, revokedAt }));
  return { id: keyId(hash), record: updated ?? record, before: false };
}

/**
 * Check a tenant or segment id of the command line.
 * @throws UsageError naming the option
 */
export function requiredId(option: string, value: string | undefined): string {
  if (value === undefined) throw new UsageError(`${option} is missing`);
  if (isId(value)) return value;
  throw new UsageError(
    `${option} ${JSON.stringify(value)} is not an id: use lower-case letters, digits, - and _, beginning with a letter or digit, at most 63`,
  );
}

/** Name for messages, which end up in logs: a secret is cut. */
function shortName(named: string): string {
  return looksSecret(named) ? `${named.slice(0, 6)}…` : JSON.stringify(named);
}

import { Kvm } from '@nats-io/kv';
import { keyId, newSecret, secretHash, stateOf, type SessionRecord, type TokenRecord } from '../../schemas/keys.ts';
import { TOKENS_BUCKET } from '../../stream/buckets.ts';
import { StreamUnavailableError } from '../../stream/errors.ts';
import type { NatsConnection } from '../../stream/nats.ts';
import { openSecretStore, type SecretWatch } from '../../stream/secretStore.ts';

/**
 * Sessions of people, as records beside the read tokens.
 *
 * So each query server knows them, and a sign-out holds everywhere within two seconds.
 */
export interface Sessions {
  /** @returns the secret of the cookie. @throws StreamUnavailableError */
  create(record: SessionRecord): Promise<{ secret: string; id: string }>;
  /** Ends a session. @throws StreamUnavailableError */
  end(secret: string, nowMs: number): Promise<void>;
}

/** Creates the sessions of the watched bucket. */
export function createSessions(
  watch: SecretWatch<TokenRecord>,
  { connection, replicas }: { connection: NatsConnection; replicas: number },
): Sessions {
  const store = () => openSecretStore<TokenRecord>(connection, TOKENS_BUCKET, replicas);
  /** Records of ended sessions are of no use, and people sign in often. */
  const removeEnded = async (nowMs: number): Promise<void> => {
    const ended = [...watch.entries()].filter(
      ([, record]) => record.role === 'person' && ['expired', 'revoked'].includes(stateOf(record, nowMs)),
    );
    if (ended.length === 0) return;
    const kv = await new Kvm(connection).open(TOKENS_BUCKET);
    for (const [hash] of ended) await kv.purge(hash);
  };
  return {
    create: (record) =>
      answered(async () => {
        const secret = newSecret('st');
        await (await store()).create(secretHash(secret), record);
        await removeEnded(Date.parse(record.createdAt));
        return { secret, id: keyId(secretHash(secret)) };
      }),
    end: (secret, nowMs) =>
      answered(async () => {
        const revokedAt = new Date(nowMs).toISOString();
        await (await store()).update(secretHash(secret), (record) => ({ ...record, revokedAt }));
      }),
  };
}

async function answered<T>(task: () => Promise<T>): Promise<T> {
  try {
    return await task();
  } catch (cause) {
    throw new StreamUnavailableError(undefined, { cause });
  }
}

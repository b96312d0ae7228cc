import type { Logger } from '../../runtime/log.ts';
import type { NatsConnection } from '../../stream/nats.ts';
import type { Resources } from '../../runtime/resources.ts';
import { retry } from '../../runtime/retry.ts';
import { watchSecrets, type SecretWatch } from '../../stream/secretStore.ts';
import type { KeyRecord, TokenRecord } from '../../schemas/keys.ts';
import { KEYS_BUCKET, TOKENS_BUCKET } from '../../stream/buckets.ts';
import { createSecrets, type Secrets } from './secrets.ts';

/** Keys and tokens, kept current by a watch. */
export interface SecretAccess {
  watchedTokens: SecretWatch<TokenRecord>;
  tokens: Secrets<TokenRecord>;
  keys: Secrets<KeyRecord>;
}

const BACKOFF = { firstMs: 100, maxMs: 2_000, attempts: Infinity };

/** Watches both buckets, with retries until the connection closes. */
export async function openSecretAccess(options: {
  connection: NatsConnection;
  replicas: number;
  resources: Resources;
  log: Logger;
}): Promise<SecretAccess> {
  const { connection, replicas, resources, log } = options;
  const follow = async <T>(bucket: string): Promise<SecretWatch<T>> => {
    const watch = await retry(() => watchSecrets<T>(connection, bucket, replicas, log), BACKOFF, {
      retryable: () => !connection.isClosed(),
      onRetry: (error, attempt) => {
        if (attempt % 5 === 0) log.warn({ err: error, bucket }, 'keys and tokens cannot be read yet, trying again');
      },
    });
    return resources.add(bucket, watch, (open) => open.stop());
  };
  const watchedTokens = await follow<TokenRecord>(TOKENS_BUCKET);
  const watchedKeys = await follow<KeyRecord>(KEYS_BUCKET);
  return {
    watchedTokens,
    tokens: createSecrets(watchedTokens, { connection, bucket: TOKENS_BUCKET, replicas }),
    keys: createSecrets(watchedKeys, { connection, bucket: KEYS_BUCKET, replicas }),
  };
}

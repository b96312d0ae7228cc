import type { Logger } from '../../runtime/log.ts';
import type { NatsConnection } from '../../stream/nats.ts';
import type { Resources } from '../../runtime/resources.ts';
import { retry } from '../../runtime/retry.ts';
import { watchSecrets, type SecretWatch } from '../../stream/secretStore.ts';
import type { KeyRecord, TokenRecord } from '../../schemas/keys.ts';
import type { QuotaRecord, ReceiverCounts } from '../../schemas/quotas.ts';
import { KEYS_BUCKET, QUOTAS_BUCKET, SHARES_BUCKET, TOKENS_BUCKET } from '../../stream/buckets.ts';
import { setQuota, type QuotaLimits } from './quotas.ts';
import { createSecrets, type Secrets } from './secrets.ts';

/** Keys and tokens, kept current by a watch. */
export interface SecretAccess {
  watchedTokens: SecretWatch<TokenRecord>;
  tokens: Secrets<TokenRecord>;
  keys: Secrets<KeyRecord>;
  /** Undefined: this identity is from before there were quotas. */
  quotas: QuotasOf | undefined;
}

/** Quotas of tenants, kept current. */
export interface QuotasOf {
  get(tenantId: string): QuotaRecord | undefined;
  /** Counts of each receiver. */
  counts(): Iterable<ReceiverCounts>;
  /** @returns the record before. @throws StreamUnavailableError */
  set(tenantId: string, limits: QuotaLimits): Promise<QuotaRecord | undefined>;
}

const BACKOFF = { firstMs: 100, maxMs: 2_000, attempts: Infinity };

/** Watches both buckets, with retries until the connection closes. */
export async function openSecretAccess(options: {
  connection: NatsConnection;
  replicas: number;
  resources: Resources;
  log: Logger;
  mayPublish: (subject: string) => boolean;
}): Promise<SecretAccess> {
  const { connection, replicas, resources, log, mayPublish } = options;
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
  const mayReadQuotas = [`$KV.${QUOTAS_BUCKET}.x`, `$JS.API.STREAM.CREATE.KV_${SHARES_BUCKET}`].every(mayPublish);
  const quotas = mayReadQuotas
    ? quotasOf(await follow<QuotaRecord>(QUOTAS_BUCKET), await follow<ReceiverCounts>(SHARES_BUCKET), options)
    : undefined;
  return {
    quotas,
    watchedTokens,
    tokens: createSecrets(watchedTokens, { connection, bucket: TOKENS_BUCKET, replicas }),
    keys: createSecrets(watchedKeys, { connection, bucket: KEYS_BUCKET, replicas }),
  };
}

function quotasOf(
  limits: SecretWatch<QuotaRecord>,
  counts: SecretWatch<ReceiverCounts>,
  { connection, replicas }: { connection: NatsConnection; replicas: number },
): QuotasOf {
  return {
    get: (tenantId) => limits.get(tenantId),
    counts: () => [...counts.entries()].map(([, record]) => record),
    set: (tenantId, wanted) => setQuota(connection, { tenantId, limits: wanted, replicas, nowMs: Date.now() }),
  };
}

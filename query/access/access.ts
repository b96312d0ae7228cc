import type { Logger } from '../../runtime/log.ts';
import type { NatsConnection } from '../../stream/nats.ts';
import type { Resources } from '../../runtime/resources.ts';
import { retry } from '../../runtime/retry.ts';
import { watchSecrets, type SecretWatch } from '../../stream/secretStore.ts';
import type { KeyRecord, TokenRecord } from '../../schemas/keys.ts';
import type { QuotaRecord, ReceiverCounts } from '../../schemas/quotas.ts';
import type { ChangeLog, ChangeRecord } from '../../schemas/change.ts';
import { openChangeBucket } from '../../stream/changeBucket.ts';
import { CHANGES_BUCKET, KEYS_BUCKET, QUOTAS_BUCKET, SHARES_BUCKET, TOKENS_BUCKET } from '../../stream/buckets.ts';
import { StreamUnavailableError } from '../../stream/errors.ts';
import { setQuota, type QuotaLimits } from './quotas.ts';
import { createSessions, type Sessions } from './sessions.ts';
import { createSecrets, type Secrets } from './secrets.ts';

/** Keys and tokens, kept current by a watch. */
export interface SecretAccess {
  watchedTokens: SecretWatch<TokenRecord>;
  watchedKeys: SecretWatch<KeyRecord>;
  tokens: Secrets<TokenRecord>;
  sessions: Sessions;
  keys: Secrets<KeyRecord>;
  /** Undefined: this identity is from before there were quotas. */
  quotas: QuotasOf | undefined;
  /** Changes, which are recorded in the stream server. Undefined: as for quotas. */
  changes: { log: ChangeLog; records: SecretWatch<ChangeRecord> } | undefined;
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
  const changes = mayPublish(`$KV.${CHANGES_BUCKET}.x`)
    ? {
        records: await follow<ChangeRecord>(CHANGES_BUCKET),
        log: answering(await openChangeBucket(connection, replicas)),
      }
    : undefined;
  if (!quotas || !changes)
    log.warn(
      'quotas and changes are not kept: this identity is older than they are. Write the rights again with "spor access init"',
    );
  return {
    quotas,
    changes,
    watchedTokens,
    watchedKeys,
    sessions: createSessions(watchedTokens, { connection, replicas }),
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

/** The log, whose failures are those of the stream server. */
function answering(log: ChangeLog): ChangeLog {
  const answered = async (written: Promise<void>): Promise<void> => {
    await written.catch((cause: unknown) => {
      throw new StreamUnavailableError(undefined, { cause });
    });
  };
  return { begin: (record) => answered(log.begin(record)), end: (record) => answered(log.end(record)) };
}

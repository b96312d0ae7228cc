/** Names of Spor's KV buckets. Running environments hold them, so a name never changes. */

/** Instrumentation keys, each under the SHA-256 of its secret. The secret is stored nowhere. */
export const KEYS_BUCKET = 'spor_keys';
/** Read tokens, stored as keys are. */
export const TOKENS_BUCKET = 'spor_tokens';
/** Quotas of tenants over all receivers, by tenant. */
export const QUOTAS_BUCKET = 'spor_quotas';
/** What each receiver has counted against quotas, by receiver. */
export const SHARES_BUCKET = 'spor_shares';
/** Changes that people and services made, for the audit. */
export const CHANGES_BUCKET = 'spor_changes';
/** The event schemas in use, under SCHEMAS_KEY. */
export const SCHEMAS_BUCKET = 'spor_schemas';
export const SCHEMAS_KEY = 'events';
/** The owner of each shard. */
export const LEASES_BUCKET = 'spor_leases';
/** The committed position of each shard. */
export const PROGRESS_BUCKET = 'spor_progress';
/** Uploads that an owner has begun to commit. */
export const INTENTS_BUCKET = 'spor_intents';
/** Positions up to which replays have published. */
export const REPLAYS_BUCKET = 'spor_replays';

/** Facts about all shard streams, under STREAMS_KEY: their number, and what was noticed about them. */
export const STREAMS_BUCKET = 'spor_streams';
export const STREAMS_KEY = 'streams';

/** Names of all buckets. */
export const BUCKETS: readonly string[] = [
  KEYS_BUCKET,
  TOKENS_BUCKET,
  SCHEMAS_BUCKET,
  LEASES_BUCKET,
  PROGRESS_BUCKET,
  INTENTS_BUCKET,
  REPLAYS_BUCKET,
  STREAMS_BUCKET,
  QUOTAS_BUCKET,
  SHARES_BUCKET,
  CHANGES_BUCKET,
];

/** Buckets that identities of before lack rights for. A service goes on without them, and says so. */
export const LATER_BUCKETS: readonly string[] = [QUOTAS_BUCKET, SHARES_BUCKET, CHANGES_BUCKET];

/** Key of a shard in the buckets of leases, progress and intents. */
export function shardKey(shard: number): string {
  return `shard.${shard}`;
}

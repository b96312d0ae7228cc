import { SHARDS } from './tenants.ts';

/** Time after which a silent processor loses its shards. */
export const LEASE_SECONDS = 2;

/**
 * Settings of a service, without the caller's own, and with short waits.
 *
 * A cycle so takes seconds.
 */
export function fleetSettings(
  env: Record<string, string | undefined>,
  { cluster }: { cluster: boolean },
): Record<string, string> {
  const given = Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return {
    ...Object.fromEntries(given.filter(([name]) => !/^(SPOR_FAILPOINT|WORK_DIR|\w+_(HOST|PORT)|NATS_URL)$/.test(name))),
    SPOR_SHARDS: String(SHARDS),
    NATS_REPLICAS: cluster ? '3' : '1',
    STREAM_MAX_BYTES: String(64 * 1_048_576),
    LEASE_SECONDS: String(LEASE_SECONDS),
    WINDOW_MAX_MS: '250',
    DUCKDB_MEMORY: '256MiB',
    INGEST_ACK_DEADLINE_MS: '2000',
    SHUTDOWN_SECONDS: '8',
  };
}

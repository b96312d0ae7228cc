import { flag, readConfig, text, whole } from '../runtime/config.ts';
import { METRICS_TOKEN } from '../runtime/metricsToken.ts';
import { TRACING_SETTINGS } from '../runtime/tracing.ts';
import { MIB } from '../runtime/units.ts';
import { checkConnection, NATS_SETTINGS } from '../stream/credentials.ts';

/** The Event Receiver's settings. */
export const INGEST_SETTINGS = {
  host: text('INGEST_HOST', 'address that the Event Receiver listens on', '127.0.0.1'),
  port: whole('INGEST_PORT', 'port that the Event Receiver listens on; 0: any free one', 4001, 0, 65_535),
  sharePort: flag('INGEST_SHARE_PORT', 'several receivers on this machine share the port', false),
  metricsToken: METRICS_TOKEN,
  ...TRACING_SETTINGS,
  ...NATS_SETTINGS,
  shards: whole('SPOR_SHARDS', 'number of shard streams at their creation; "spor shards grow" makes more', 4, 1, 1024),
  replicas: whole('NATS_REPLICAS', 'copies of each stream and bucket in the NATS cluster', 1, 1, 5),
  streamMaxBytes: whole('STREAM_MAX_BYTES', 'largest size of a shard stream, in bytes', 2_147_483_648, MIB),
  maxInFlightBytes: whole(
    'INGEST_MAX_IN_FLIGHT_BYTES',
    'limit of bytes in unanswered requests; 503 above it',
    128 * MIB,
    2 * MIB,
  ),
  ackDeadlineMs: whole('INGEST_ACK_DEADLINE_MS', 'longest wait for the acknowledgement of a write', 5_000, 100, 60_000),
  drainSeconds: whole(
    'INGEST_DRAIN_SECONDS',
    'time after SIGTERM in which /readyz fails and connections are still accepted, so that load balancers notice',
    0,
    0,
    20,
  ),
} as const;

export type IngestConfig = ReturnType<typeof readIngestConfig>;

/** Read the settings. @throws ConfigError listing every fault */
export function readIngestConfig(env: Record<string, string | undefined>) {
  return checkConnection(readConfig(INGEST_SETTINGS, env));
}

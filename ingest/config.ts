import { flag, readConfig, text, whole } from '../runtime/config.ts';
import { MIB } from '../runtime/units.ts';

/** The Event Receiver's settings. */
export const INGEST_SETTINGS = {
  host: text('INGEST_HOST', 'address the Event Receiver listens on', '127.0.0.1'),
  port: whole('INGEST_PORT', 'port the Event Receiver listens on; 0 takes a free one', 4001, 0, 65_535),
  sharePort: flag('INGEST_SHARE_PORT', 'whether several receivers on this machine share the port', false),
  natsUrl: text('NATS_URL', 'nats-server, several separated by commas', 'nats://127.0.0.1:4222'),
  shards: whole('SPOR_SHARDS', 'number of event streams, fixed at their creation', 4, 1, 1024),
  replicas: whole('NATS_REPLICAS', 'copies of each stream in a NATS cluster', 1, 1, 5),
  streamMaxBytes: whole('STREAM_MAX_BYTES', 'most bytes one event stream keeps', 2_147_483_648, MIB),
  maxInFlightBytes: whole(
    'INGEST_MAX_IN_FLIGHT_BYTES',
    'most bytes of unanswered requests one receiver holds; over it, 503',
    128 * MIB,
    2 * MIB,
  ),
  ackDeadlineMs: whole('INGEST_ACK_DEADLINE_MS', 'longest wait for the stream to confirm a write', 5_000, 100, 60_000),
  drainSeconds: whole(
    'INGEST_DRAIN_SECONDS',
    'time between /readyz turning 503 and the end of new connections at SIGTERM; set it to what the load balancer needs to notice',
    0,
    0,
    20,
  ),
} as const;

export type IngestConfig = ReturnType<typeof readIngestConfig>;

/** Read the settings. @throws ConfigError listing every fault */
export function readIngestConfig(env: Record<string, string | undefined>) {
  return readConfig(INGEST_SETTINGS, env);
}

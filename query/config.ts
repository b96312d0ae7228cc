import { DEDUPE_HOURS, LAKE_SETTINGS } from '../lake/config.ts';
import { readConfig, text, whole, type Setting } from '../runtime/config.ts';
import { MIB } from '../runtime/units.ts';

/** How queries run: settings that the query server and the command line share. */
export const QUERY_SETTINGS = {
  workDir: text('WORK_DIR', 'folder for the cache of S3 files', './.spor/work/lake'),
  cacheMaxBytes: whole('LAKE_CACHE_MAX_BYTES', 'most bytes of S3 files kept on local disk', 10_240 * MIB, MIB),
  queryMemoryMb: whole('LAKE_QUERY_MEMORY_MB', 'most memory of one query, in MiB', 1_024, 32),
  queryThreads: whole('LAKE_QUERY_THREADS', 'threads of one query', 2, 1, 256),
  queryTimeoutMs: whole('LAKE_QUERY_TIMEOUT_MS', 'longest time of one query', 30_000, 100, 3_600_000),
  queryMaxRows: whole('LAKE_QUERY_MAX_ROWS', 'most rows of one answer', 100_000, 1, 100_000_000),
  queryMaxBytes: whole('LAKE_QUERY_MAX_BYTES', 'most bytes of one answer', 64 * MIB, 1_024, 4_096 * MIB),
} satisfies Record<string, Setting<unknown>>;

/** The query server's settings. */
export const QUERY_SERVER_SETTINGS = {
  host: text('LAKE_HOST', 'address the query server listens on', '127.0.0.1'),
  port: whole('LAKE_PORT', 'port the query server listens on; 0 takes a free one', 4002, 0, 65_535),
  natsUrl: text('NATS_URL', 'nats-server, several separated by commas', 'nats://127.0.0.1:4222'),
  replicas: whole('NATS_REPLICAS', 'copies of the token bucket in a NATS cluster', 1, 1, 5),
  concurrentQueries: whole('LAKE_CONCURRENT_QUERIES', 'queries that run at once', 3, 1, 64),
  queuedQueries: whole('LAKE_QUEUED_QUERIES', 'queries that wait for others before 429', 16, 0, 10_000),
  tailMaxBytes: whole(
    'LAKE_TAIL_MAX_BYTES',
    "most bytes of one tenant's uncommitted messages that a query sees; an answer without the newest says so",
    64 * MIB,
    MIB,
    1_024 * MIB,
  ),
  dedupeHours: DEDUPE_HOURS,
  martsSeconds: whole('LAKE_MARTS_SECONDS', 'seconds between two refreshes of the marts; 0: never', 900, 0, 86_400),
  ...LAKE_SETTINGS,
  ...QUERY_SETTINGS,
} satisfies Record<string, Setting<unknown>>;

export type QueryServerConfig = ReturnType<typeof readQueryServerConfig>;

/** @throws ConfigError listing every fault */
export function readQueryServerConfig(env: Record<string, string | undefined>) {
  return readConfig(QUERY_SERVER_SETTINGS, env);
}

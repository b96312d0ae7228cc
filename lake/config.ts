import { flag, oneOf, readConfig, text, whole, type Setting } from '../runtime/config.ts';

const MIB = 1_048_576;

/** The processor drops resends by it, and the query server those that are not committed yet: they must agree. */
export const DEDUPE_HOURS = whole('DEDUPE_HOURS', 'how long a resent event id is recognised', 24, 1, 720);

/** Where the lake lies: settings that the processor, the query server and the command line share. */
export const LAKE_SETTINGS = {
  lakeUrl: text('LAKE_URL', 'where the lake lies: file:<folder> or s3://<bucket>/<prefix>', 'file:./.spor/lake'),
  s3Endpoint: text('S3_ENDPOINT', 'URL of the S3 service; empty: that of AWS for the region', ''),
  s3Region: text('S3_REGION', 'region of the bucket', 'us-east-1'),
  s3ForcePathStyle: flag('S3_FORCE_PATH_STYLE', 'bucket in the path instead of the host name', false),
  s3Checksums: oneOf(
    'S3_CHECKSUMS',
    'when requests carry a CRC; stores other than AWS often refuse WHEN_SUPPORTED',
    ['WHEN_REQUIRED', 'WHEN_SUPPORTED'],
    'WHEN_REQUIRED',
  ),
  s3TimeoutMs: whole('S3_TIMEOUT_MS', 'longest wait for an answer of the S3 service', 15_000, 100, 600_000),
  s3AccessKeyId: text('AWS_ACCESS_KEY_ID', 'empty: the usual places of the AWS SDK are searched', ''),
  s3SecretAccessKey: text('AWS_SECRET_ACCESS_KEY', 'belongs to AWS_ACCESS_KEY_ID', ''),
} satisfies Record<string, Setting<unknown>>;

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
export const SETTINGS = {
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

export type LakeConfig = ReturnType<typeof readLakeConfig>;

/** @throws ConfigError listing every fault */
export function readLakeConfig(env: Record<string, string | undefined>) {
  return readConfig(SETTINGS, env);
}

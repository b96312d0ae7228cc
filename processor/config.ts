import { DEDUPE_HOURS, LAKE_SETTINGS } from '../lake/config.ts';
import { MAINTENANCE_SETTINGS } from '../lake/maintenance/settings.ts';
import { memorySize, readConfig, text, whole, type Setting } from '../runtime/config.ts';
import { TRACING_SETTINGS } from '../runtime/tracing.ts';
import { failPointSetting } from '../runtime/failpoint.ts';
import { checkConnection, NATS_SETTINGS } from '../stream/credentials.ts';
import { FLUSH_STEPS, GROWTH_STEPS } from './failpoint.ts';

const MEBIBYTE = 1_048_576;

/** Every setting of the processor. */
export const PROCESSOR_SETTINGS = {
  ...LAKE_SETTINGS,
  ...NATS_SETTINGS,
  shards: whole('SPOR_SHARDS', 'number of shard streams at their creation; "spor shards grow" makes more', 4, 1, 1_024),
  replicas: whole('NATS_REPLICAS', 'copies of each stream and bucket in the NATS cluster', 1, 1, 5),
  streamMaxBytes: whole('STREAM_MAX_BYTES', 'bytes a shard stream may hold', 2_048 * MEBIBYTE, MEBIBYTE),
  streamKeepHours: whole(
    'STREAM_KEEP_HOURS',
    'how long committed messages stay in the stream for replay',
    72,
    1,
    87_600,
  ),
  host: text('PROCESSOR_HOST', 'address for health and metrics', '127.0.0.1'),
  port: whole('PROCESSOR_PORT', 'port for health and metrics; 0: any free one', 4003, 0, 65_535),
  workDir: text('WORK_DIR', 'folder for unfinished files', './.spor/work'),
  windowMaxMs: whole(
    'WINDOW_MAX_MS',
    'age of an uncommitted message at which its tenant is committed, while there are few tenants',
    1_000,
    10,
    600_000,
  ),
  commitsPerSecond: whole(
    'COMMITS_PER_SECOND',
    'commits of tenants a second that age causes, over all shards; with more tenants each is committed less often',
    8,
    1,
    10_000,
  ),
  commitMaxSeconds: whole(
    'COMMIT_MAX_SECONDS',
    'age of an uncommitted message at which its tenant is committed, however many tenants there are',
    300,
    1,
    3_600,
  ),
  commitMaxBytes: whole(
    'COMMIT_MAX_BYTES',
    'bytes of uncommitted messages at which a tenant is committed, whatever its age',
    MEBIBYTE,
    1_024,
    64 * MEBIBYTE,
  ),
  windowMaxBytes: whole(
    'WINDOW_MAX_BYTES',
    'message bytes at which a window is flushed; with many tenants up to four times as many',
    32 * MEBIBYTE,
    1_024,
  ),
  windowMaxMessages: whole('WINDOW_MAX_MESSAGES', 'messages at which a window is flushed', 200_000, 1),
  duckdbMemory: memorySize('DUCKDB_MEMORY', "DuckDB's memory limit", '1GiB'),
  duckdbThreads: whole('DUCKDB_THREADS', "DuckDB's threads, besides one for each shard's flush", 1, 1, 64),
  leaseSeconds: whole('LEASE_SECONDS', 'how long a shard stays with a processor that sends no sign of life', 6, 1, 300),
  dedupeHours: DEDUPE_HOURS,
  dedupeBytes: whole('DEDUPE_MAX_BYTES', 'memory for event ids, over all shards', 256 * MEBIBYTE, MEBIBYTE),
  openTables: whole(
    'PROCESSOR_OPEN_TABLES',
    'tables whose logs stay in memory, two for each tenant; others are read again at each commit',
    4_096,
    16,
  ),
  ...MAINTENANCE_SETTINGS,
  ...TRACING_SETTINGS,
  failPoint: failPointSetting(
    'SPOR_FAILPOINT',
    'for tests: the step of a flush or growth at which to die or stop, or none',
    [...FLUSH_STEPS, ...GROWTH_STEPS],
    { stop: true },
  ),
} satisfies Record<string, Setting<unknown>>;

export type ProcessorConfig = ReturnType<typeof readProcessorConfig>;

/** @throws ConfigError listing every fault */
export function readProcessorConfig(env: Record<string, string | undefined>) {
  return checkConnection(readConfig(PROCESSOR_SETTINGS, env));
}

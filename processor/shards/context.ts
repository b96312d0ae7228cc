import type { JetStreamManager } from '@nats-io/jetstream';
import type { DuplicatesOptions } from '../../lake/dedupe/duplicates.ts';
import type { Engine } from '../../lake/duckdb/engine.ts';
import type { TableCache } from '../../lake/layout/tableCache.ts';
import type { Storage } from '../../lake/storage/storage.ts';
import type { WindowLimits } from '../../lake/window/window.ts';
import type { Logger } from '../../runtime/log.ts';
import type { Tracer } from '../../runtime/tracing.ts';
import type { Semaphore } from '../../runtime/semaphore.ts';
import type { ShardRange } from '../../schemas/subjects.ts';
import type { Registry } from '../../schemas/registry.ts';
import type { NatsConnection } from '../../stream/nats.ts';
import type { Progress } from '../../stream/progress.ts';
import type { ReachFlush } from '../failpoint.ts';
import type { ProcessorMetrics } from '../metrics.ts';
import type { UnparkTries } from './unpark.ts';
import type { CommitPolicy } from './commitBudget.ts';
import type { KnownStreams } from './knownStreams.ts';

/** The stream server, shared by the work on every shard. */
export interface StreamAccess {
  connection: NatsConnection;
  manager: JetStreamManager;
  progress: Progress;
  known: KnownStreams;
  /** Number of shards, for a record that does not exist yet. */
  shards: number;
  /** Copies of buckets that have to be created. */
  replicas: number;
}

/** The lake, shared by the work on every shard. */
export interface LakeAccess {
  storage: Storage;
  tables: TableCache;
  engine: Engine;
  /** Permits for the windows that DuckDB writes at once. */
  buildPermits: Semaphore;
  registry: Registry;
}

/** Settings of the work on a shard. */
export interface ShardSettings {
  /** Shards in use. */
  range: ShardRange;
  /** Scratch folder. */
  dir: string;
  window: WindowLimits;
  commits: CommitPolicy;
  dedupe: DuplicatesOptions;
  streamKeepMs: number;
}

/** Resources that the work on every shard shares. */
export interface ShardContext {
  stream: StreamAccess;
  lake: LakeAccess;
  settings: ShardSettings;
  metrics: ProcessorMetrics;
  reach: ReachFlush;
  /** Whether windows are flushed at once, because the shards are about to grow. */
  isHurried: () => boolean;
  /** Absent: nothing is traced. */
  tracer?: Tracer | undefined;
  log: Logger;
  unparkTries: UnparkTries;
  /** Called for each tenant with a new commit. */
  onCommitted: (tenantId: string) => void;
}

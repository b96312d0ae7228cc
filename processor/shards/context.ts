import type { JetStreamManager } from '@nats-io/jetstream';
import type { DuplicatesOptions } from '../../lake/dedupe/duplicates.ts';
import type { Engine } from '../../lake/duckdb/engine.ts';
import type { TableCache } from '../../lake/layout/tableCache.ts';
import type { Storage } from '../../lake/storage/storage.ts';
import type { WindowLimits } from '../../lake/window/window.ts';
import type { Logger } from '../../runtime/log.ts';
import type { Semaphore } from '../../runtime/semaphore.ts';
import type { Registry } from '../../schemas/registry.ts';
import type { NatsConnection } from '../../stream/nats.ts';
import type { Progress } from '../../stream/progress.ts';
import type { ReachFlush } from '../failpoint.ts';
import type { ProcessorMetrics } from '../metrics.ts';

/** The stream server, as the work on every shard uses it. */
export interface StreamAccess {
  connection: NatsConnection;
  manager: JetStreamManager;
  progress: Progress;
}

/** The lake, as the work on every shard writes it. */
export interface LakeAccess {
  storage: Storage;
  tables: TableCache;
  engine: Engine;
  /** Of the windows that DuckDB writes at once. */
  buildPermits: Semaphore;
  registry: Registry;
}

/** The settings of the work on a shard. */
export interface ShardSettings {
  shards: number;
  replicas: number;
  /** Folder for unfinished files. */
  dir: string;
  window: WindowLimits;
  dedupe: DuplicatesOptions;
  streamKeepMs: number;
}

/** What the work on every shard shares. */
export interface ShardContext {
  stream: StreamAccess;
  lake: LakeAccess;
  settings: ShardSettings;
  metrics: ProcessorMetrics;
  reach: ReachFlush;
  log: Logger;
  /** Told of each tenant a flush has committed for. */
  onCommitted: (tenantId: string) => void;
}

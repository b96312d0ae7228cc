import type { JetStreamManager } from '@nats-io/jetstream';
import type { OpenTables } from '../../lake/layout/openTables.ts';
import type { Storage } from '../../lake/storage/storage.ts';
import type { Logger } from '../../runtime/log.ts';
import type { NatsConnection } from '../../stream/nats.ts';
import type { Registry } from '../../schemas/registry.ts';
import type { Progress } from '../../stream/progress.ts';
import type { DuplicatesOptions } from '../../lake/dedupe/duplicates.ts';
import type { ReachFlush } from '../failpoint.ts';
import type { ProcessorMetrics } from '../metrics.ts';
import type { Engine } from '../../lake/duckdb/engine.ts';
import type { WindowLimits } from '../../lake/window/window.ts';
import type { Semaphore } from '../../runtime/semaphore.ts';

/** What the work on every shard shares. */
export interface ShardContext {
  connection: NatsConnection;
  manager: JetStreamManager;
  storage: Storage;
  engine: Engine;
  /** Of the windows that DuckDB writes at once. */
  buildPermits: Semaphore;
  registry: Registry;
  tables: OpenTables;
  progress: Progress;
  metrics: ProcessorMetrics;
  reach: ReachFlush;
  log: Logger;
  /** Folder for unfinished files. */
  dir: string;
  shards: number;
  replicas: number;
  limits: WindowLimits;
  dedupe: DuplicatesOptions;
  streamKeepMs: number;
  /** Told of each tenant a flush has committed for. */
  onCommitted: (tenantId: string) => void;
}

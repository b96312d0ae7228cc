import type { JetStreamManager } from '@nats-io/jetstream';
import type { Storage } from '../../lake/storage/storage.ts';
import type { Logger } from '../../runtime/log.ts';
import type { NatsConnection } from '../../runtime/nats.ts';
import type { Registry } from '../../schemas/registry.ts';
import type { Progress } from '../commit/progress.ts';
import type { DuplicatesOptions } from '../dedupe/duplicates.ts';
import type { Reach } from '../failpoint.ts';
import type { ProcessorMetrics } from '../metrics.ts';
import type { Engine } from '../parquet/engine.ts';
import type { WindowLimits } from '../window/window.ts';

/** What the work on every shard shares. */
export interface ShardContext {
  connection: NatsConnection;
  manager: JetStreamManager;
  storage: Storage;
  engine: Engine;
  registry: Registry;
  progress: Progress;
  metrics: ProcessorMetrics;
  reach: Reach;
  log: Logger;
  /** Folder for unfinished files. */
  dir: string;
  shards: number;
  replicas: number;
  limits: WindowLimits;
  dedupe: DuplicatesOptions;
  streamKeepMs: number;
}

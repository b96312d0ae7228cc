import { join } from 'node:path';
import { duckdbCheckpoints } from '../lake/delta/checkpointParquet.ts';
import { Engine } from '../lake/duckdb/engine.ts';
import { openMaintenance, type Maintenance } from '../lake/maintenance/maintenance.ts';
import { COMPACTION } from '../lake/maintenance/plan.ts';
import { listTenants } from '../lake/layout/tenants.ts';
import type { TableCache } from '../lake/layout/tableCache.ts';
import type { Present } from '../lake/storage/agreedTime.ts';
import type { Storage } from '../lake/storage/storage.ts';
import type { Logger } from '../runtime/log.ts';
import type { MetricsRegistry } from '../runtime/metrics.ts';
import { delay } from '../runtime/retry.ts';
import { shardOf, type ShardRange } from '../schemas/subjects.ts';
import type { ProcessorConfig } from './config.ts';
import { HOUR_MS } from '../runtime/units.ts';

export interface MaintenanceLoopOptions {
  config: ProcessorConfig;
  storage: Storage;
  /** The table instances that flushes commit with. */
  tables: TableCache;
  /** Scratch folder. */
  dir: string;
  log: Logger;
  metrics: MetricsRegistry;
  /** The store's present, once the clocks agree. */
  present: Present;
  /** The shards that this processor owns now. */
  owned: () => readonly number[];
  /** The shards in use. */
  range: () => ShardRange;
}

/** Time between two listings of the lake. Flushes announce the tenants that send. */
const LIST_EVERY_MS = 600_000;
const LIST_AGAIN_MS = 10_000;
/** Nice value of maintenance, so that flushes get the processor first. */
const NICENESS = 10;

/**
 * Maintenance of the tenants in this processor's shards, beside the flushes.
 *
 * The loop compacts, writes checkpoints, cleans logs and vacuums, also for tenants that no longer send. Its DuckDB is a
 * process with low priority, so that no flush waits for a sort. If two processors work on the same table, one of their
 * commits conflicts.
 */
export class MaintenanceLoop {
  readonly #options: MaintenanceLoopOptions;
  readonly #engine: Engine;
  readonly #maintenance: Maintenance;
  readonly #tenants = new Set<string>();
  readonly #stopped = new AbortController();
  readonly #running: Promise<unknown>;

  private constructor(options: MaintenanceLoopOptions, engine: Engine, maintenance: Maintenance) {
    this.#options = options;
    this.#engine = engine;
    this.#maintenance = maintenance;
    this.#running = Promise.all([
      this.#keepListing(),
      this.#maintenance.keepUp(() => this.#owned(), this.#stopped.signal),
    ]);
  }

  static async start(options: MaintenanceLoopOptions): Promise<MaintenanceLoop> {
    const { config, storage, tables, log, metrics, present } = options;
    const dir = join(options.dir, 'maintenance');
    const memory = `${config.maintenanceMemoryMb}MiB`;
    const engine = new Engine({ dir, memory, threads: 1, niceness: NICENESS, log });
    const maintenance = await openMaintenance({
      storage,
      table: tables,
      engine,
      checkpoints: duckdbCheckpoints(engine),
      workDir: dir,
      log,
      metrics,
      present,
      share: config.maintenanceSharePercent / 100,
      logRetentionMs: config.logRetentionHours * HOUR_MS,
      vacuumGraceMs: config.vacuumGraceHours * HOUR_MS,
      compaction: { ...COMPACTION, settledAfterMs: config.compactAfterSeconds * 1_000 },
    });
    return new MaintenanceLoop(options, engine, maintenance);
  }

  /** Marks a tenant with a new commit. */
  notice(tenantId: string): void {
    this.#tenants.add(tenantId);
  }

  /** Stops after the current step. A begun commit finishes; a sort is interrupted. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    await this.#engine.close();
    await this.#running;
  }

  #owned(): string[] {
    const { owned } = this.#options;
    const range = this.#options.range();
    const shards = new Set(owned());
    return [...this.#tenants].filter((tenantId) => shards.has(shardOf(tenantId, range.shards, range.first)));
  }

  async #keepListing(): Promise<void> {
    const { storage, log } = this.#options;
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      try {
        for (const tenantId of await listTenants(storage)) this.#tenants.add(tenantId);
        await delay(LIST_EVERY_MS, signal);
      } catch (error) {
        log.warn({ err: error }, 'the tenants of the lake could not be listed, trying again');
        await delay(LIST_AGAIN_MS, signal);
      }
    }
  }
}

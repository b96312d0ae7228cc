import { join } from 'node:path';
import type { Logger } from '../../runtime/log.ts';
import { commitWindow, planCommits } from '../commit/commit.ts';
import { Duplicates, type JudgedIds } from '../../lake/dedupe/duplicates.ts';
import { lakeIds, newestIdFiles } from '../../lake/dedupe/lakeIds.ts';
import type { FlushReport } from '../metrics.ts';
import type { EngineSession } from '../../lake/duckdb/engine.ts';
import { ParquetBuild } from '../../lake/flush/parquetBuild.ts';
import type { WrittenWindow } from '../../lake/flush/parquetWriter.ts';
import type { ClosedWindow, Window, WindowLimits } from '../../lake/window/window.ts';
import type { ShardContext } from './context.ts';
import type { OwnerSteps } from './ownerSteps.ts';
import type { OwnedShard } from './takeOver.ts';

export interface FlusherOptions extends OwnedShard {
  steps: OwnerSteps;
  session: EngineSession;
  log: Logger;
}

const SUMMARY_MS = 10_000;
const LEAST_WINDOW_BYTES = 1_048_576;

/** A window as Parquet files on local disk. */
export interface BuiltWindow {
  /** With the events that cannot become rows among its rejected ones. */
  window: ClosedWindow;
  /** As it was read. */
  closed: ClosedWindow;
  written: WrittenWindow;
  ids: JudgedIds;
  log: Logger;
  /** Monotonic, in milliseconds. */
  startedAt: number;
  writeMs: number;
}

/**
 * Brings windows of one owner into the lake, in stream order: Parquet files, upload, commit, and only then the
 * acknowledgement. One may be built while the one before is committed.
 */
export class Flusher {
  readonly #context: ShardContext;
  readonly #options: FlusherOptions;
  readonly #duplicates: Duplicates;
  #limits: WindowLimits;
  #floor: number;
  #summary = { messages: 0, stored: 0, duplicate: 0, quarantined: 0 };
  #summaryAt = performance.now();

  constructor(context: ShardContext, options: FlusherOptions) {
    this.#context = context;
    this.#options = options;
    this.#duplicates = new Duplicates(context.dedupe);
    this.#limits = context.limits;
    this.#floor = options.floor;
  }

  /** Last sequence acknowledged. */
  get floor(): number {
    return this.#floor;
  }

  /** Limits for the next window: smaller than configured for a while after one that did not fit into memory. */
  get limits(): WindowLimits {
    return this.#limits;
  }

  /**
   * Makes a window's Parquet files. The window before need not be committed yet.
   * @throws what Steps.persist throws: then neither this window nor a later one may be committed
   */
  async build(window: Window): Promise<BuiltWindow> {
    const { steps } = this.#options;
    const startedAt = performance.now();
    const closed = await steps.retryWhileOwned('finishing a window', () => window.close());
    const log = this.#options.log.child({ firstSequence: closed.firstSequence, lastSequence: closed.lastSequence });
    const preparation = this.#preparation(closed, log);
    const written = await steps.retryWhileOwned('writing Parquet', () =>
      this.#context.buildPermits.run(() => preparation.run()),
    );
    const ids = this.#duplicates.judged();
    return { window: preparation.window, closed, written, ids, log, startedAt, writeMs: performance.now() - startedAt };
  }

  /**
   * Brings a built window into the lake, after those before it.
   * @throws what Steps.persist throws: the window is not acknowledged then, and the owner must not go on.
   */
  async commit({ window, closed, written, ids, log, startedAt, writeMs }: BuiltWindow): Promise<void> {
    const { storage, progress, reach, onCommitted } = this.#context;
    const { lease, stream, intents, tables, steps } = this.#options;
    await steps.retryWhileOwned('asking for the stream', () => stream.now());
    const commits = planCommits(stream.name, window, written);
    await commitWindow(window, commits, {
      storage,
      tables,
      intents,
      epoch: lease.epoch,
      reach,
      persist: (step, task) => steps.retryWhileOwned(step, task),
    });
    const committedMs = Date.now();
    for (const { tenantId } of commits) onCommitted(tenantId);
    this.#duplicates.commit(ids);
    reach('before-ack');
    await steps.retryWhileOwned('acknowledging', () =>
      progress.acknowledge(lease.shard, stream.created, closed.lastSequence),
    );
    this.#floor = closed.lastSequence;
    await steps.retryWhileOwned('clearing the intent', () => intents.clear());
    this.#resize(1.05);

    const totalMs = performance.now() - startedAt;
    const oldestMs = Math.max(0, committedMs - Math.min(committedMs, closed.receivedMs.min));
    this.#report({ ...countsOf(closed, written), commits: commits.length, writeMs, totalMs, oldestMs }, log);
  }

  #preparation(window: ClosedWindow, log: Logger): ParquetBuild {
    const { storage, registry, dir } = this.#context;
    const { lease, tables, session } = this.#options;
    const table = (tenantId: string) => tables.table('events', tenantId);
    return new ParquetBuild(window, {
      registry,
      session,
      duplicates: this.#duplicates,
      stored: lakeIds(session, newestIdFiles(storage, table, join(dir, `ids-${lease.shard}-${lease.epoch}`))),
      erasures: tables.allErasures,
      log,
      onMemory: () => this.#resize(0.5),
    });
  }

  #resize(factor: number): void {
    const bytes = Math.ceil(this.#limits.bytes * factor);
    this.#limits = {
      ...this.#limits,
      bytes: Math.min(this.#context.limits.bytes, Math.max(LEAST_WINDOW_BYTES, bytes)),
    };
  }

  /** A line for each window at debug, sums from time to time at info. */
  #report(report: FlushReport, log: Logger): void {
    const { metrics } = this.#context;
    const { shard } = this.#options.lease;
    metrics.observe(shard, report);
    metrics.idBytes.set({ shard: String(shard) }, this.#duplicates.bytes);
    log.debug(report, 'committed a window');
    for (const key of ['messages', 'stored', 'duplicate', 'quarantined'] as const) this.#summary[key] += report[key];
    if (performance.now() - this.#summaryAt < SUMMARY_MS) return;
    this.#options.log.info({ ...this.#summary, floor: this.#floor }, 'committed');
    this.#summary = { messages: 0, stored: 0, duplicate: 0, quarantined: 0 };
    this.#summaryAt = performance.now();
  }
}

function countsOf({ messages, bytes }: ClosedWindow, { files, outcomes }: WrittenWindow) {
  const counts = { messages, bytes, files: files.length, stored: 0, duplicate: 0, quarantined: 0 };
  for (const outcome of outcomes.values()) {
    counts.stored += outcome.stored;
    counts.duplicate += outcome.duplicate;
    counts.quarantined += outcome.quarantined;
  }
  return counts;
}

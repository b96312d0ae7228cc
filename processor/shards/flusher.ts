/*
 * A flush has five stages:
 *
 *   closeWindow → buildParquet → uploadFiles → commitTables → acknowledge
 *
 * closeWindow finishes the window's files of lines. buildParquet turns them into sorted Parquet files on local disk,
 * without duplicates. uploadFiles records the paths, then uploads the files. commitTables adds one entry to the log of
 * each table, which also carries the stream position. acknowledge moves the committed position of the shard.
 *
 * Each stage is repeated until it succeeds or the shard is lost. A kill at any stage costs only a repetition. The next
 * owner reads from the committed position, deletes recorded files that are in no table, and skips tables that have the
 * window. `build` runs the first two stages, and `commit` the other three (flushPipeline.ts).
 */
import { join } from 'node:path';
import type { Logger } from '../../runtime/log.ts';
import { WindowCommit } from '../commit/commit.ts';
import type { ParkedTenants } from '../commit/parked.ts';
import { planCommits } from '../commit/plan.ts';
import { Duplicates, type JudgedIds } from '../../lake/dedupe/duplicates.ts';
import { lakeIds, newestIdFiles, type IdFiles } from '../../lake/dedupe/lakeIds.ts';
import type { FlushReport } from '../metrics.ts';
import type { EngineSession } from '../../lake/duckdb/engine.ts';
import { ParquetBuild } from '../../lake/flush/parquetBuild.ts';
import type { WrittenWindow } from '../../lake/flush/parquetWriter.ts';
import type { ClosedWindow } from '../../lake/window/closedWindow.ts';
import type { Window, WindowLimits } from '../../lake/window/window.ts';
import type { ShardContext } from './context.ts';
import type { Place } from './heldMessages.ts';
import type { OwnerSteps } from './ownerSteps.ts';
import type { OwnedShard } from './takeOver.ts';
import { traceFlush } from './traceFlush.ts';

export interface FlusherOptions extends OwnedShard {
  /** Position up to which all is committed once the next window is. */
  positionNext: () => Place;
  /** Called after each window's commits, in order, for the position up to which all is committed. */
  onWindowCommitted: () => { through: Place; ahead: number };
  steps: OwnerSteps;
  session: EngineSession;
  log: Logger;
}

const SUMMARY_MS = 10_000;
const LEAST_WINDOW_BYTES = 1_048_576;

/** A window as Parquet files on local disk. */
export interface BuiltWindow {
  /** Unstorable events are among its rejected ones. */
  window: ClosedWindow;
  /** The window as closed, before the build. */
  closed: ClosedWindow;
  written: WrittenWindow;
  ids: JudgedIds;
  log: Logger;
  /** Start of the flush, monotonic, in milliseconds. */
  startedAt: number;
  writeMs: number;
}

/** Sums of the periodic log line. */
const NOTHING = { messages: 0, stored: 0, duplicate: 0, differing: 0, quarantined: 0 };

/** The flushes of one owner, in stream order. */
export class Flusher {
  readonly #context: ShardContext;
  readonly #options: FlusherOptions;
  readonly #duplicates: Duplicates;
  #limits: WindowLimits;
  #floor: Place;
  #summary = { ...NOTHING };
  #summaryAt = performance.now();

  constructor(context: ShardContext, options: FlusherOptions) {
    this.#context = context;
    this.#options = options;
    this.#duplicates = new Duplicates(context.settings.dedupe);
    this.#limits = context.settings.window;
    this.#floor = { sequence: options.floor, timeMs: options.floorMs };
  }

  /**
   * Committed position, with the store time of its message if that is known: the lake holds every message up to it.
   *
   * It stands still while a tenant is parked.
   */
  get floor(): Place {
    return this.#floor;
  }

  /** Limits of the next window, reduced for a while after memory failures. */
  get limits(): WindowLimits {
    return this.#limits;
  }

  /**
   * Run closeWindow and buildParquet, maybe before the previous window is committed.
   * @throws as OwnerSteps; then neither this window nor a later one may be committed
   */
  async build(window: Window): Promise<BuiltWindow> {
    const startedAt = performance.now();
    const closed = await this.#closeWindow(window);
    const { firstSequence, lastSequence } = closed.span;
    const log = this.#options.log.child({ firstSequence, lastSequence });
    const built = await this.#buildParquet(closed, log);
    return { ...built, closed, log, startedAt, writeMs: performance.now() - startedAt };
  }

  /**
   * Run uploadFiles, commitTables and acknowledge, in window order.
   * @throws as OwnerSteps; then the window is not acknowledged, and the owner must stop
   */
  async commit(built: BuiltWindow): Promise<void> {
    const { lake, reach, onCommitted } = this.#context;
    const { lease, stream, intents, tables, steps } = this.#options;
    const { window, written, ids } = built;
    await steps.retryWhileOwned('asking for the stream', () => stream.now());
    const nowMs = await steps.retryWhileOwned("asking for the store's time", () => lake.storage.now());
    const planned = planCommits(stream.name, window, written, nowMs);
    const commits = planned.filter(({ tenantId }) => !tables.parked.has(tenantId));
    const persist: OwnerSteps['retryWhileOwned'] = (step, task) => steps.retryWhileOwned(step, task);
    const { lastSequence, lastStoredMs: storedMs } = window.span;
    const position = tables.parked.list.length > 0 ? this.#floor : this.#options.positionNext();
    const facts = { epoch: lease.epoch, storedMs, shardPosition: position.sequence };
    const options = { storage: lake.storage, tables, intents, ...facts, reach, persist };
    const commit = new WindowCommit(commits, lastSequence, options);
    await commit.uploadFiles();
    await commit.commitTables();
    const committedMs = Date.now();
    const done = commits.filter(({ tenantId }) => !tables.parked.has(tenantId));
    for (const { tenantId } of done) onCommitted(tenantId);
    this.#duplicates.commit(ids);
    await this.#acknowledge();
    this.#trace(built, committedMs);
    this.#resize(1.05);
    this.#report(reportOf(built, { commits: done.length, committedMs, parked: tables.parked }), built.log);
  }

  #trace({ window, startedAt, writeMs }: BuiltWindow, committedMs: number): void {
    const { tracer } = this.#context;
    if (!tracer || window.traces.length === 0) return;
    const { parked } = this.#options.tables;
    const startMs = Date.now() - (performance.now() - startedAt);
    const times = { startMs, builtMs: startMs + writeMs, committedMs };
    const traces = window.traces.filter(({ tenantId }) => !parked.has(tenantId));
    traceFlush(tracer, traces, { shard: this.#options.lease.shard, times });
  }

  #closeWindow(window: Window): Promise<ClosedWindow> {
    return this.#options.steps.retryWhileOwned('finishing a window', () => window.close());
  }

  async #buildParquet(closed: ClosedWindow, log: Logger): Promise<Pick<BuiltWindow, 'window' | 'written' | 'ids'>> {
    const build = this.#newBuild(closed, log);
    const written = await this.#options.steps.retryWhileOwned('writing Parquet', () =>
      this.#context.lake.buildPermits.run(() => build.run()),
    );
    return { window: build.window, written, ids: this.#duplicates.judged() };
  }

  async #acknowledge(): Promise<void> {
    const {
      stream: { progress, known },
      reach,
    } = this.#context;
    const { lease, stream, intents, tables, steps, onWindowCommitted } = this.#options;
    reach('before-ack');
    const parked = tables.parked.list;
    const { through, ahead } = onWindowCommitted();
    const floor = parked.length > 0 ? this.#floor : through;
    const facts = {
      ...(floor.timeMs === undefined ? {} : { storedMs: floor.timeMs }),
      ...(ahead > 0 ? { ahead } : {}),
      ...(parked.length > 0 ? { through: through.sequence, parked } : {}),
    };
    await steps.retryWhileOwned('acknowledging', () =>
      progress.acknowledge(lease.shard, stream.created, floor.sequence, facts),
    );
    known.commit(stream.appId, floor.sequence);
    this.#floor = floor;
    await steps.retryWhileOwned('clearing the intent', () => intents.clear());
  }

  #newBuild(window: ClosedWindow, log: Logger): ParquetBuild {
    const { storage, registry } = this.#context.lake;
    const { dir } = this.#context.settings;
    const { lease, tables, session } = this.#options;
    const files = newestIdFiles(
      storage,
      (tenantId) => tables.table('events', tenantId),
      join(dir, `ids-${lease.shard}-${lease.epoch}`),
    );
    return new ParquetBuild(window, {
      registry,
      session,
      duplicates: this.#duplicates,
      stored: lakeIds(session, withoutParked(files, tables.parked)),
      erasures: tables.allErasures,
      log,
      onMemory: () => this.#resize(0.5),
    });
  }

  #resize(factor: number): void {
    const bytes = Math.ceil(this.#limits.bytes * factor);
    this.#limits = {
      ...this.#limits,
      bytes: Math.min(this.#context.settings.window.bytes, Math.max(LEAST_WINDOW_BYTES, bytes)),
    };
  }

  /** Log each window at debug, and periodic sums at info. */
  #report(report: FlushReport, log: Logger): void {
    const { metrics } = this.#context;
    const { shard } = this.#options.lease;
    metrics.observe(shard, report);
    metrics.idBytes.set({ shard: String(shard) }, this.#duplicates.bytes);
    log.debug(report, 'committed a window');
    for (const key of Object.keys(NOTHING) as (keyof typeof NOTHING)[]) this.#summary[key] += report[key];
    if (performance.now() - this.#summaryAt < SUMMARY_MS) return;
    this.#options.log.info({ ...this.#summary, floor: this.#floor.sequence }, 'committed');
    this.#summary = { ...NOTHING };
    this.#summaryAt = performance.now();
  }
}

/** Files of the tenants that are not parked. Rows of a parked one are not committed, so its ids do not matter. */
function withoutParked(files: IdFiles, parked: ParkedTenants): IdFiles {
  return {
    list: async (tenantId) => (parked.has(tenantId) ? [] : parked.watch(tenantId, () => files.list(tenantId))),
    withLocal: (tenantId, of, task) => parked.watch(tenantId, () => files.withLocal(tenantId, of, task)),
  };
}

function reportOf(
  { closed, written, startedAt, writeMs }: BuiltWindow,
  { commits, committedMs, parked }: { commits: number; committedMs: number; parked: ParkedTenants },
): FlushReport {
  const { messages, bytes } = closed.span;
  const sums = { stored: 0, duplicate: 0, differing: 0, quarantined: 0 };
  for (const [tenantId, { counts }] of written.outcomes) {
    if (parked.has(tenantId)) continue;
    sums.stored += counts.stored;
    sums.duplicate += counts.duplicate;
    sums.differing += counts.differing;
    sums.quarantined += counts.quarantined;
  }
  const totalMs = performance.now() - startedAt;
  const oldestMs = Math.max(0, committedMs - Math.min(committedMs, closed.times.receivedMs.min));
  return { messages, bytes, files: written.files.length, ...sums, commits, writeMs, totalMs, oldestMs };
}

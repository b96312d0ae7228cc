import { mkdir } from 'node:fs/promises';
import type { Registry } from 'prom-client';
import type { Logger } from '../../runtime/log.ts';
import { delay } from '../../runtime/retry.ts';
import type { CheckpointFormat } from '../delta/checkpoint.ts';
import type { Table } from '../delta/table.ts';
import { TxnConflictError } from '../delta/txnConflict.ts';
import type { SqlEngine } from '../duckdb/sqlEngine.ts';
import { LakeError } from '../errors.ts';
import { LAKE_ERRORS } from '../../schemas/queryErrors.ts';
import { agreedNow, type Present } from '../storage/agreedTime.ts';
import type { Storage } from '../storage/storage.ts';
import { TABLE_NAMES, type TableName } from '../layout/tables.ts';
import { maybeCheckpoint } from './checkpoints.ts';
import { NO_LOOK, nextLookMs, noteLook, type TableLook } from './looks.ts';
import { compact, type Compacted } from './compact.ts';
import type { ReachCompaction } from './failpoint.ts';
import { armFailPoint } from '../../runtime/failpoint.ts';
import { cleanLog } from './logCleanup.ts';
import { DueMerges } from './dueMerges.ts';
import { createCounters, type DeletingStep } from './metrics.ts';
import { COMPACTION, planCompaction, type CompactionJob, type CompactionOptions } from './plan.ts';
import { listDerivedTables } from '../layout/derivedTables.ts';
import { claimStep, datesOf, expiredBefore, planExpiry, retentionOf } from './retention.ts';
import { expireBefore } from './expiry.ts';
import { removeScratch } from './scratch.ts';
import { vacuum } from './vacuum.ts';

export interface MaintenanceOptions {
  storage: Storage;
  /**
   * A tenant's table, best the instance that the caller commits with.
   *
   * Then each log is read once.
   */
  table: (name: TableName, tenantId: string) => Table;
  /** DuckDB for the sorts, bounded by its memory limit; flushes need another one. */
  engine: SqlEngine;
  checkpoints: CheckpointFormat;
  /** Scratch folder for copies, new files and large sorts. */
  workDir: string;
  log: Logger;
  metrics?: Registry;
  /** Largest share of time for jobs, from 0 to 1; 1 means no pauses. */
  share: number;
  logRetentionMs: number;
  /** Age at which a daily vacuum deletes replaced files; undefined: never. */
  vacuumGraceMs: number | undefined;
  compaction?: CompactionOptions;
  /** Most rows per sort; each takes a few KB of DuckDB's memory. */
  rowsAtOnce?: number;
  reach?: ReachCompaction;
  /** Monotonic clock of the schedule, in milliseconds; absent: this process's. */
  now?: () => number;
  /** The store's present; absent: if the clocks of this host and the store agree. */
  present?: Present;
  /** Newest log entries that stay whatever their age; absent: KEPT_ENTRIES. */
  keepEntries?: number;
}

/** Result of maintenance for one table. */
export interface TableReport {
  tenantId: string;
  table: TableName;
  /** Files of expired days. */
  expiredFiles: number;
  compacted: Compacted[];
  checkpointed: boolean;
  logFilesDeleted: number;
  vacuumedFiles: number;
  /** Why nothing was deleted, if the clocks differ. */
  refused?: string;
}

export interface Maintenance {
  /**
   * Does all due maintenance of a tenant's tables: compaction, checkpoint, log cleanup, vacuum.
   *
   * An aborted signal ends it between two steps.
   * @throws LakeError storage_unavailable, table_corrupt, table_unsupported; Error if a job's result is wrong
   */
  run(tenantId: string, signal?: AbortSignal): Promise<TableReport[]>;
  /**
   * Maintains the tenants in turn until the signal aborts.
   *
   * Each turn has a few jobs, so a large tenant delays no other. Failures are logged and tried again in the next round;
   * nothing is thrown.
   */
  keepUp(tenants: () => readonly string[], signal: AbortSignal): Promise<void>;
}

const ROWS_AT_ONCE = 100_000;
const JOBS_A_TURN = 4;
const IDLE_MS = 1_000;
const SHUN_MS = 3_600_000;
const CLEAN_LOG_EVERY_MS = 3_600_000;
const VACUUM_EVERY_MS = 24 * 3_600_000;
/** Codes of clocks that differ or are unknown. */
const REFUSALS: ReadonlySet<string> = new Set(['clocks_differ', 'stream_unavailable']);
/** Time between two log lines about clocks that do not agree. */
const SAY_AGAIN_MS = 60_000;
/**
 * Delay of the first log cleanup and vacuum.
 *
 * A starting processor catches up first.
 */
const FIRST_CLEANUP_MS = 600_000;

/**
 * Creates the maintenance of tables beside other work.
 *
 * Any number of processes may maintain the same table, because commits decide conflicts.
 */
export async function openMaintenance(options: MaintenanceOptions): Promise<Maintenance> {
  await mkdir(options.workDir, { recursive: true });
  await removeScratch(options.workDir);
  return new TableMaintenance(options);
}

class TableMaintenance implements Maintenance {
  readonly #options: MaintenanceOptions;
  readonly #now: () => number;
  readonly #present: Present;
  readonly #counters: ReturnType<typeof createCounters>;
  /** Last look at each table, by root. */
  readonly #looks = new Map<string, TableLook>();
  /**
   * Failed jobs with the time of their next try.
   *
   * Other jobs come first until then.
   */
  readonly #shunned = new Map<string, number>();
  readonly #due = new DueMerges();
  /** Time of each table's last log cleanup and vacuum, by root. */
  readonly #cleaned = new Map<string, number>();
  readonly #vacuumed = new Map<string, number>();
  readonly #startedAt: number;
  #refusedAt = -Infinity;

  constructor(options: MaintenanceOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    this.#present = options.present ?? (() => agreedNow(options.storage));
    this.#counters = createCounters(options.metrics);
    this.#startedAt = this.#now();
  }

  async run(tenantId: string, signal: AbortSignal = new AbortController().signal): Promise<TableReport[]> {
    const reports: TableReport[] = [];
    for (const name of TABLE_NAMES) {
      if (signal.aborted) break;
      const table = this.#options.table(name, tenantId);
      reports.push(await this.#maintain(name, tenantId, { table, signal, jobs: Infinity }));
    }
    return reports;
  }

  async keepUp(tenants: () => readonly string[], signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      let looked = 0;
      this.#counters.due.set(this.#due.sum(tenants()));
      for (const tenantId of tenants()) {
        for (const name of TABLE_NAMES) if (await this.#look(name, tenantId, signal)) looked++;
      }
      if (looked === 0) await delay(IDLE_MS, signal);
    }
  }

  /** Maintains a table if its check is due; returns whether it was. */
  async #look(name: TableName, tenantId: string, signal: AbortSignal): Promise<boolean> {
    const table = this.#options.table(name, tenantId);
    const { root } = table.spec;
    const last = this.#looks.get(root) ?? NO_LOOK;
    const atMs = this.#now();
    if (signal.aborted || atMs < nextLookMs(last, table.known.version)) return false;
    let { version } = last;
    let isBusy = false;
    try {
      const { compacted } = await this.#maintain(name, tenantId, { table, signal, jobs: JOBS_A_TURN });
      ({ version } = table.known);
      isBusy = compacted.filter(({ outcome }) => outcome === 'committed').length === JOBS_A_TURN;
    } catch (error) {
      if (signal.aborted) return true;
      this.#counters.failures.inc({ table: name });
      this.#options.log.error(
        { err: error, tenantId, table: name },
        'maintenance of a table failed, trying again later',
      );
    }
    this.#looks.set(root, noteLook(last, { atMs, version, isBusy }));
    return true;
  }

  async #maintain(
    name: TableName,
    tenantId: string,
    { table, signal, jobs }: { table: Table; signal: AbortSignal; jobs: number },
  ): Promise<TableReport> {
    const report: TableReport = {
      tenantId,
      table: name,
      expiredFiles: 0,
      compacted: [],
      checkpointed: false,
      logFilesDeleted: 0,
      vacuumedFiles: 0,
    };
    if ((await table.snapshot()).version < 0) return report;
    await table.bringUpToDate();
    report.expiredFiles = await this.#unlessClocksDiffer('retention', report, () =>
      this.#expire(name, tenantId, table),
    );
    const left = await this.#compact(name, table, { signal, jobs, into: report.compacted });
    this.#due.note(tenantId, name, left);
    if (!signal.aborted) report.checkpointed = await maybeCheckpoint(table, this.#options.log);
    if (!signal.aborted)
      report.logFilesDeleted = await this.#unlessClocksDiffer('log_cleanup', report, () =>
        this.#cleanLog(table, jobs === Infinity),
      );
    if (!signal.aborted)
      report.vacuumedFiles = await this.#unlessClocksDiffer('vacuum', report, () => this.#vacuum(table, signal));
    return report;
  }

  /** Runs a deletion; if the clocks differ, it is refused, said and counted, and due again. */
  async #unlessClocksDiffer(step: DeletingStep, report: TableReport, task: () => Promise<number>): Promise<number> {
    try {
      return await task();
    } catch (error) {
      if (!(error instanceof LakeError) || !REFUSALS.has(error.code)) throw error;
      report.refused = error.message;
      this.#counters.refused.inc({ step });
      if (this.#now() - this.#refusedAt >= SAY_AGAIN_MS) {
        this.#refusedAt = this.#now();
        this.#options.log.error(
          { code: error.code, step, reason: error.message },
          'nothing is deleted: the clocks differ',
        );
      }
      return 0;
    }
  }

  /** Expires days of the table and of the tenant's marts; the events table decides on the next day. */
  async #expire(name: TableName, tenantId: string, own: Table): Promise<number> {
    const { storage, engine, workDir, log, table } = this.#options;
    // The table's own was read a moment ago (#maintain).
    const retention = retentionOf(name === 'events' ? own.known : await table('events', tenantId).snapshot());
    if (!retention) return 0;
    const derived = name === 'events' ? await listDerivedTables(storage, tenantId) : [];
    const others = name === 'events' ? [table('quarantine', tenantId), ...derived] : [];
    const dates = (await Promise.all([own, ...others].map((one) => one.snapshot()))).flatMap(datesOf);
    const now = await storage.now();
    const { before, claim, waiting } = planExpiry(retention, dates, now);
    const wanted = name === 'events' ? before : expiredBefore(retention, now);
    if (!dates.some((date) => date < wanted)) return 0;
    await this.#present();
    if (name === 'events' && claim) await claimStep(own, claim);
    if (name === 'events' && waiting > 0)
      log.warn({ tenantId, before, waiting }, 'expired days wait, because retention removes one new day a day');
    const reason = `retention of ${retention.days} days`;
    let files = 0;
    for (const one of [own, ...derived]) {
      const options = { storage, engine, workDir, reason, undoable: one === own };
      const expired = await expireBefore(one, wanted, options).catch((error: unknown) => {
        if (error instanceof TxnConflictError) return 0; // a compaction elsewhere was first: on the next look
        throw error;
      });
      if (expired > 0) log.info({ root: one.spec.root, files: expired, before: wanted }, 'expired days were removed');
      files += expired;
    }
    this.#counters.expired.inc({ table: name }, files);
    return files;
  }

  /** Runs jobs and plans again, because merged files may merge again. @returns the number of jobs left */
  async #compact(
    name: TableName,
    table: Table,
    { signal, jobs, into }: { signal: AbortSignal; jobs: number; into: Compacted[] },
  ): Promise<number> {
    let left = 0;
    while (!signal.aborted) {
      const plan = planCompaction(
        table.known,
        await this.#options.storage.now(),
        this.#options.compaction ?? COMPACTION,
      );
      const due = plan.filter((job) => !this.#isShunned(table, job)).slice(0, jobs - into.length);
      if (due.length === 0) return plan.length;
      for (const job of due) {
        if (signal.aborted) return left;
        const done = await this.#job(name, table, { job, signal });
        into.push(done);
        if (done.outcome !== 'committed') this.#shunned.set(key(table, job), this.#now() + SHUN_MS);
      }
      left = plan.length - due.length;
    }
    return left;
  }

  #isShunned(table: Table, job: CompactionJob): boolean {
    const id = key(table, job);
    const untilMs = this.#shunned.get(id) ?? -Infinity;
    if (untilMs <= this.#now()) this.#shunned.delete(id);
    return untilMs > this.#now();
  }

  async #job(
    name: TableName,
    table: Table,
    { job, signal }: { job: CompactionJob; signal: AbortSignal },
  ): Promise<Compacted> {
    const { storage, engine, workDir, log, share, rowsAtOnce = ROWS_AT_ONCE } = this.#options;
    const reach = this.#options.reach ?? armFailPoint(undefined);
    const done = await compact(job, { storage, table, name, engine, workDir, rowsAtOnce, log, reach, signal }).catch(
      (error: unknown): Compacted => {
        // A stop may close DuckDB while a long sort runs.
        if (signal.aborted) return ended(job, 'stopped');
        // The next job would meet the same unavailable store.
        if (error instanceof LakeError && LAKE_ERRORS[error.code].retryable) throw error;
        log.error({ err: error, root: table.spec.root, segment: job.segment, date: job.date }, 'compaction failed');
        return ended(job, 'failed');
      },
    );
    this.#counters.compactions.inc({ table: name, outcome: done.outcome });
    if (done.outcome === 'committed') {
      this.#counters.files.inc({ table: name }, done.files);
      this.#counters.bytes.inc({ table: name }, done.bytesBefore);
      log.info({ root: table.spec.root, state: job.state, ...done }, 'compacted');
    }
    await delay(done.elapsedMs * (1 / share - 1), signal);
    return done;
  }

  async #cleanLog(table: Table, now: boolean): Promise<number> {
    const { storage, logRetentionMs, checkpoints, keepEntries, log } = this.#options;
    const { root } = table.spec;
    if (!now && !this.#isDue(this.#cleaned, root, CLEAN_LOG_EVERY_MS)) return 0;
    const kept = keepEntries === undefined ? {} : { keepEntries };
    const options = { retentionMs: logRetentionMs, checkpoints, present: this.#present, ...kept };
    const cleaned = await cleanLog(storage, root, options);
    this.#cleaned.set(root, this.#now());
    if (cleaned.deletedFiles > 0) log.info({ root, ...cleaned }, 'log cleaned');
    this.#counters.logFiles.inc(cleaned.deletedFiles);
    return cleaned.deletedFiles;
  }

  async #vacuum(table: Table, signal: AbortSignal): Promise<number> {
    const { storage, vacuumGraceMs: graceMs, log } = this.#options;
    const { root } = table.spec;
    if (graceMs === undefined || !this.#isDue(this.#vacuumed, root, VACUUM_EVERY_MS)) return 0;
    const { deletedFiles, deletedBytes } = await vacuum(storage, table, { graceMs, signal, present: this.#present });
    this.#vacuumed.set(root, this.#now());
    if (deletedFiles > 0) log.info({ root, deletedFiles, deletedBytes }, 'vacuumed');
    this.#counters.vacuumed.inc(deletedFiles);
    return deletedFiles;
  }

  #isDue(last: Map<string, number>, root: string, everyMs: number): boolean {
    const lastMs = last.get(root) ?? this.#startedAt + FIRST_CLEANUP_MS - everyMs;
    return this.#now() - lastMs >= everyMs;
  }
}

function ended({ segment, date, files, bytes }: CompactionJob, outcome: 'failed' | 'stopped'): Compacted {
  const unchanged = { rows: 0, bytesBefore: bytes, bytesAfter: bytes, elapsedMs: 0 };
  return { outcome, segment, date, files: files.length, ...unchanged };
}

function key({ spec: { root } }: Table, { segment, date, files }: CompactionJob): string {
  return `${root} ${segment} ${date} ${files[0]?.path}`;
}

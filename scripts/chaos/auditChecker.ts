import { createAudit, type Audit } from '../../query/audit/audit.ts';
import { rowsOfEvents, type RowReading } from '../../query/audit/rows.ts';
import { deltaTable } from '../../lake/delta/table.ts';
import { createTableCache } from '../../lake/layout/tableCache.ts';
import { openDuckdb } from '../../lake/duckdb/duckdb.ts';
import { StreamUnavailableError } from '../../stream/errors.ts';
import { LakeError } from '../../lake/errors.ts';
import { LAKE_ERRORS } from '../../schemas/queryErrors.ts';
import { openLocalFiles } from '../../query/engine/open.ts';
import type { Storage } from '../../lake/storage/storage.ts';
import { tableSpec } from '../../lake/layout/tables.ts';
import type { NatsConnection } from '../../stream/nats.ts';
import { delay } from '../../runtime/retry.ts';
import { createRegistry } from '../../schemas/registry.ts';
import type { Decisions } from './decisions.ts';
import type { ChaosLedger } from './ledgerFile.ts';
import type { Finding } from './verify.ts';
import { DAY_MS, utcDay } from '../../runtime/units.ts';

export interface AuditCheckerOptions {
  connection: NatsConnection;
  storage: Storage;
  /** Folder for copies of the files of a lake in S3. */
  workDir: string;
  ledger: Pick<ChaosLedger, 'acknowledgedMs' | 'accepted'>;
  decisions: Pick<Decisions, 'fateOf' | 'isLossTime'>;
}

const CACHE_BYTES = 1_073_741_824;
/** Days around today to audit, because clocks jump by hours. */
const DAYS_AROUND = 1;
const PROBE_MS = 600;
/** Age of acknowledged events on which a mark is tried; earlier marks covered older ones. */
const LATELY_MS = 10_000;

/**
 * Tests the audits of Spor itself.
 *
 * Each tenant's days must add up. No event that was acknowledged before a mark of completeness may be missing.
 */
export class AuditChecker {
  readonly #options: AuditCheckerOptions;
  #audit: Audit;
  readonly #audits: Audit[] = [];
  #resting = false;
  /** Number of restarts; a mark is compared with tables of the same start. */
  #starts = 0;
  readonly #reading: RowReading;
  readonly #registry = createRegistry();
  readonly #engine = openDuckdb({ memory: '256MiB', threads: 1, spillDir: '' });
  /** Number of marks that were tried on at least one event. */
  marks = 0;

  private constructor(options: AuditCheckerOptions, reading: Pick<RowReading, 'localFiles'>) {
    this.#options = options;
    this.#reading = { ...reading, engine: this.#engine };
    this.#audit = this.#create();
  }

  #create(): Audit {
    const { connection, storage } = this.#options;
    const audit = createAudit({
      storage,
      tables: createTableCache(storage, this.#registry),
      localFiles: this.#reading.localFiles,
      connection: () => connection,
    });
    this.#audits.push(audit);
    return audit;
  }

  /** Runs a task without audits beside it, and reads all tables anew afterwards, as a query server does at its start. */
  async restartedAfter(task: () => Promise<void>): Promise<void> {
    this.#resting = true;
    this.#starts++;
    try {
      await task();
    } finally {
      this.#audit = this.#create();
      this.#resting = false;
    }
  }

  static async open(options: AuditCheckerOptions): Promise<AuditChecker> {
    const { storage, workDir } = options;
    return new AuditChecker(options, {
      localFiles: await openLocalFiles(storage, { workDir, cacheMaxBytes: CACHE_BYTES }),
    });
  }

  async close(): Promise<void> {
    for (const audit of this.#audits) await audit.close();
    await this.#engine.close();
  }

  /** Findings of days that do not add up. */
  async reconcile(tenants: readonly string[]): Promise<Finding[]> {
    const day = (offset: number): string => utcDay(Date.now() + offset * DAY_MS);
    const days = { from: day(-DAYS_AROUND), to: day(DAYS_AROUND) };
    const found = await Promise.all(tenants.map((tenantId) => this.#audit.reconcile(tenantId, days)));
    return found.flatMap(({ tenantId, balanced, differences, faults, days: sums }) => {
      if (balanced) return [];
      const named = differences.map(({ receiptId, kind, events, message }) => ({
        detail: `${events} ${kind}: ${message}`,
        ...(receiptId === undefined ? {} : { receiptId }),
      }));
      const files = faults.map(({ file, fault }) => ({ detail: `${file} ${fault}` }));
      const summed = sums.filter(({ difference }) => difference !== 0).map((sum) => ({ detail: JSON.stringify(sum) }));
      return [...named, ...files, ...summed].map((one) => ({
        kind: 'unbalanced' as const,
        eventId: 'several',
        tenantId,
        reader: 'spor reconcile',
        ...one,
      }));
    });
  }

  /** Tries marks until the signal aborts, also during faults. */
  async watchMarks(tenants: readonly string[], signal: AbortSignal): Promise<Finding[]> {
    const findings: Finding[] = [];
    while (!signal.aborted) {
      for (const tenantId of tenants) {
        try {
          findings.push(...(await this.#tryMark(tenantId)));
        } catch (error) {
          if (!isPassing(error)) throw error;
        }
      }
      await delay(PROBE_MS, signal);
    }
    return findings;
  }

  async #tryMark(tenantId: string): Promise<Finding[]> {
    const { ledger, storage } = this.#options;
    const starts = this.#starts;
    if (this.#resting) return [];
    const { acknowledgedBefore } = await this.#audit.completeness(tenantId);
    if (acknowledgedBefore === null) return [];
    const markMs = Date.parse(acknowledgedBefore);
    const promised = [...ledger.acknowledgedMs]
      .filter(([id, ms]) => ms < markMs && ms >= markMs - LATELY_MS && ledger.accepted.get(id)?.tenantId === tenantId)
      .map(([id]) => id)
      .filter((id) => this.#mustBeThere(tenantId, id));
    if (promised.length === 0) return [];
    this.marks++;
    const snapshot = await deltaTable(storage, tableSpec('events', tenantId, this.#registry)).snapshot();
    const rows = await rowsOfEvents(this.#reading, { name: 'events', tenantId, snapshot }, promised);
    if (this.#starts !== starts) return [];
    const there = new Set(rows.map(({ eventId }) => eventId));
    return promised
      .filter((id) => !there.has(id) && this.#mustBeThere(tenantId, id))
      .map((eventId) => ({
        kind: 'claimed' as const,
        eventId,
        tenantId,
        reader: 'the mark of completeness',
        detail: `acknowledged before ${acknowledgedBefore}, up to which all was said to be in, and in no row then`,
      }));
  }

  /** Whether no operator has decided that an acknowledged event may be missing. */
  #mustBeThere(tenantId: string, eventId: string): boolean {
    const { decisions, ledger } = this.#options;
    const fate = decisions.fateOf(tenantId, eventId);
    // A resend after a loss has a later acknowledgement, which this mark does not cover.
    const isLost = decisions.isLossTime(ledger.acknowledgedMs.get(eventId)!);
    return (fate === undefined || fate === 'present') && !isLost;
  }
}

/** Whether a mark could not be tried: a stream without an answer claims nothing, and files leave while they are read. */
function isPassing(error: unknown): boolean {
  if (error instanceof StreamUnavailableError) return true;
  if (error instanceof LakeError) return LAKE_ERRORS[error.code].retryable;
  return /No such file or directory/.test((error as Error).message);
}

import { mkdir, rm } from 'node:fs/promises';
import type { Logger } from '../../runtime/log.ts';
import type { Registry } from '../../schemas/registry.ts';
import type { AddFile } from '../../lake/delta/actions.ts';
import type { Snapshot } from '../../lake/delta/snapshot.ts';
import { deltaTable, type Table } from '../../lake/delta/table.ts';
import { TxnConflictError } from '../../lake/delta/txnConflict.ts';
import { maybeCheckpoint } from '../../lake/maintenance/checkpoints.ts';
import type { LocalFiles } from '../../lake/files/localFiles.ts';
import { createCatalog, type ViewCatalog } from '../engine/views.ts';
import type { SqlEngine } from '../../lake/duckdb/sqlEngine.ts';
import type { Storage } from '../../lake/storage/storage.ts';
import { idScope } from '../../lake/layout/sharedIds.ts';
import { tableSpec } from '../../lake/layout/tables.ts';
import { daysOfFiles, dirtyDays, eventChanges, type EventChanges } from './dirtyDays.ts';
import { isDaily, listMarts, martSpec, type Mart } from './mart.ts';
import { ordersSentAgain, readDay, readMarts, type EventSource } from './sources.ts';
import { writeMart, type WrittenMartFile } from './workbench.ts';

export interface MartsOptions {
  storage: Storage;
  registry: Registry;
  localFiles: LocalFiles;
  engine: SqlEngine;
  /** Scratch folder, emptied at the start of a refresh. */
  workDir: string;
  log: Logger;
}

/** Result of a refresh for one mart. */
export interface MartReport {
  mart: string;
  /**
   * - `current`: nothing changed.
   * - `conflict`: another refresh or an erasure came first; the next refresh continues.
   * - `failed`: see `error`; the other marts are refreshed.
   */
  outcome: 'current' | 'refreshed' | 'conflict' | 'failed';
  /** Number of rebuilt partitions of a daily mart. */
  days: number;
  rows: number;
  elapsedMs: number;
  /** Why it failed. */
  error?: string;
}

/** Progress of a mart: its source version and its definition. */
interface Cursor {
  appId: string;
  version: number;
  expected: number | undefined;
}

/** A refreshed mart, with the state that summaries read. */
interface Refreshed {
  table: Table;
  snapshot: Snapshot;
  /** Version of the events that its rows reflect, or an older one. */
  eventsVersion: number;
}

const UPLOADS_AT_ONCE = 8;

/**
 * Refreshes a tenant's marts to the newest version of its events.
 *
 * Only changed days are read. Each commit names its source version (`txn`). So a killed or concurrent refresh leaves
 * every mart at one version, and the next refresh continues from there. A mart that fails stops only those that read it.
 * @throws LakeError storage_unavailable, table_corrupt, if the events cannot be read
 */
export async function refreshMarts(
  tenantId: string,
  options: MartsOptions,
  signal?: AbortSignal,
): Promise<MartReport[]> {
  const { storage, registry, workDir, log } = options;
  await rm(workDir, { recursive: true, force: true });
  await mkdir(workDir, { recursive: true });
  const events = deltaTable(storage, tableSpec('events', tenantId, registry));
  const refresh = new Refresh(options, events, await events.snapshot());
  const reports: MartReport[] = [];
  if (refresh.snapshot.version < 0) return reports;
  for (const mart of listMarts(registry)) {
    signal?.throwIfAborted();
    const startedAt = performance.now();
    try {
      reports.push(await refresh.mart(mart, deltaTable(storage, martSpec(mart, tenantId))));
    } catch (error) {
      signal?.throwIfAborted();
      const reason = error instanceof Error ? error.message : String(error);
      log.warn({ err: error, tenantId, mart: mart.name }, 'a mart could not be refreshed, trying again later');
      const elapsedMs = Math.round(performance.now() - startedAt);
      reports.push({ mart: mart.name, outcome: 'failed', days: 0, rows: 0, elapsedMs, error: reason });
    }
  }
  return reports;
}

/** One refresh of one tenant, from one version of the events. */
class Refresh {
  readonly snapshot: Snapshot;
  readonly #options: MartsOptions;
  readonly #source: EventSource;
  readonly #catalog: ViewCatalog;
  /** Refreshed marts by name. */
  readonly #marts = new Map<string, Refreshed>();
  /** Changes by version, because most marts have the same source version. */
  readonly #changes = new Map<number, { changes: EventChanges; orderDays: Set<string> } | undefined>();

  constructor(options: MartsOptions, events: Table, snapshot: Snapshot) {
    this.#options = options;
    this.snapshot = snapshot;
    this.#catalog = createCatalog(options.registry);
    this.#source = { ...options, root: events.spec.root, snapshot, catalog: this.#catalog };
  }

  async mart(mart: Mart, table: Table): Promise<MartReport> {
    const startedAt = performance.now();
    const before = await table.bringUpToDate();
    const cursor = this.#cursor(mart, before);
    let eventsVersion = this.#eventsVersion(mart);
    const report: MartReport = { mart: mart.name, outcome: 'current', days: 0, rows: 0, elapsedMs: 0 };
    if (cursor.version !== cursor.expected) {
      const made = isDaily(mart) ? await this.#days(mart, before, cursor) : await this.#summary(mart, before);
      const committed = await this.#commit(table, { ...made, eventsVersion }, cursor);
      // Another process committed, so the source version of a summary is unknown.
      if (!committed) eventsVersion = -1;
      report.outcome = committed ? 'refreshed' : 'conflict';
      report.days = made.days;
      report.rows = made.written.reduce((sum, { file }) => sum + file.rows, 0);
      await maybeCheckpoint(table, this.#options.log);
    }
    const snapshot = await table.snapshot();
    if (isDaily(mart)) eventsVersion = snapshot.txns.get(cursor.appId) ?? -1;
    this.#marts.set(mart.name, { table, snapshot, eventsVersion });
    return { ...report, elapsedMs: Math.round(performance.now() - startedAt) };
  }

  /**
   * Progress of a mart.
   *
   * A recreated table, a new definition or another scope of ids has another appId, and so no progress.
   */
  #cursor(mart: Mart, { txns }: Snapshot): Cursor {
    const id = isDaily(mart)
      ? `events@${this.snapshot.metaData?.id}`
      : mart.reads.map((name) => `${name}@${this.#read(name).snapshot.metaData?.id}`).join('+');
    const version = isDaily(mart)
      ? this.snapshot.version
      : mart.reads.reduce((sum, name) => sum + this.#read(name).snapshot.version, 0);
    const appId = [`${id}#${mart.definition}`, idScope(this.snapshot) ?? []].flat().join('+');
    return { appId, version, expected: txns.get(appId) };
  }

  /** Source version of a mart that is built now. */
  #eventsVersion(mart: Mart): number {
    return Math.min(this.snapshot.version, ...mart.reads.map((name) => this.#read(name).eventsVersion));
  }

  async #days(mart: Mart, before: Snapshot, { expected }: Cursor): Promise<Made> {
    const known = new Set([...daysOfFiles(this.snapshot), ...daysOfFiles(before)]);
    const since = expected === undefined ? undefined : await this.#changesSince(expected);
    const days = since ? dirtyDays(mart, since.changes, { known, orderDays: since.orderDays }) : [...known].sort();
    const written: WrittenMartFile[] = [];
    for (const day of days) {
      const file = await readDay(this.#source, mart, day, (from, sql) =>
        writeMart(mart, { ...this.#options, from, sql, partition: { date: day } }),
      );
      if (file) written.push(file);
    }
    const replaced = new Set(days);
    const remove = [...before.files.values()].filter(({ partitionValues: { date } }) => replaced.has(date ?? ''));
    return { written, remove, days: days.length };
  }

  async #summary(mart: Mart, before: Snapshot): Promise<Made> {
    const read = mart.reads.map((name) => ({ name, ...this.#read(name) }));
    const written = await readMarts(this.#options.localFiles, read, (from) =>
      writeMart(mart, { ...this.#options, from, sql: mart.sql, partition: {} }),
    );
    return { written: written ? [written] : [], remove: [...before.files.values()], days: 0 };
  }

  /** Commits a mart; false if another refresh or an erasure came first. */
  async #commit(
    table: Table,
    { written, remove, eventsVersion }: Made & { eventsVersion: number },
    txn: Cursor,
  ): Promise<boolean> {
    const { storage, log } = this.#options;
    const { root } = table.spec;
    const unusedSinceMs = await storage.now();
    const queue = [...written];
    const uploader = async (): Promise<void> => {
      for (let next = queue.pop(); next; next = queue.pop())
        await storage.upload(`${root}/${next.file.path}`, next.localFile);
    };
    try {
      await Promise.all(Array.from({ length: UPLOADS_AT_ONCE }, uploader));
      const add = written.map(({ file }) => file);
      const info = {
        operation: 'WRITE',
        operationParameters: { mode: 'Overwrite', eventsVersion: String(txn.version) },
      };
      const madeFrom = { tableId: this.snapshot.metaData!.id, version: eventsVersion };
      // A new definition builds the whole mart, whose columns may have new types.
      const overwriteSchema = txn.expected === undefined;
      await table.replace({ remove, add, dataChange: true, unusedSinceMs, madeFrom, txn, overwriteSchema, info });
      return true;
    } catch (error) {
      if (!(error instanceof TxnConflictError)) throw error;
      const { files } = await table.snapshot();
      const unused = written.filter(({ file }) => !files.has(file.path));
      await storage.delete(unused.map(({ file }) => `${root}/${file.path}`));
      log.info({ root, reason: error.message }, 'a mart was changed by another process, it is refreshed the next time');
      return false;
    } finally {
      for (const { localFile } of written) await rm(localFile, { force: true });
    }
  }

  async #changesSince(version: number): Promise<{ changes: EventChanges; orderDays: Set<string> } | undefined> {
    if (!this.#changes.has(version)) {
      const range = { after: version, upTo: this.snapshot.version };
      const changes = await eventChanges(this.#options.storage, this.#source.root, range);
      this.#changes.set(version, changes && { changes, orderDays: await ordersSentAgain(this.#source, changes.added) });
    }
    return this.#changes.get(version);
  }

  #read(name: string): Refreshed {
    const mart = this.#marts.get(name);
    if (!mart) throw new Error(`it reads ${name}, which could not be refreshed`);
    return mart;
  }
}

/** New files of a mart, and the files they replace. */
interface Made {
  written: WrittenMartFile[];
  remove: AddFile[];
  days: number;
}

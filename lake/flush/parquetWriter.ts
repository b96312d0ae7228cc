import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { fileStats, type CopyStats, type FileStats } from '../delta/stats.ts';
import type { TableName } from '../layout/tables.ts';
import type { Source } from '../../stream/message.ts';
import type { ClosedWindow } from '../window/closedWindow.ts';
import type { EngineSession } from '../duckdb/engine.ts';
import type { SqlRow } from '../duckdb/sqlEngine.ts';
import { dropErased, type ErasedPlace } from './erased.ts';
import {
  dropDuplicates,
  inspectPart,
  judgePart,
  windowPartitions,
  placesOf,
  splitRuns,
  type Part,
  type WriteOptions,
} from './lines.ts';
import { beginOutcome, type FlushOutcome } from './outcome.ts';
import * as sql from './sql.ts';
import { DAY_MS, utcDay } from '../../runtime/units.ts';

/** A local Parquet file of one tenant, segment and date. */
export interface WrittenFile {
  table: TableName;
  source: Source;
  /** `2026-11-23` */
  date: string;
  localFile: string;
  bytes: number;
  rows: number;
  stats: FileStats;
}

export interface WrittenWindow {
  files: WrittenFile[];
  /** By tenant. */
  outcomes: Map<string, FlushOutcome>;
  /** Events of erased people, which were left out. */
  erased: ErasedPlace[];
}

/**
 * Writes a window as sorted Parquet files on local disk, without duplicates.
 *
 * The files are verified: rows against lines, each footer, and each tenant, segment and date against the rows' bounds.
 * @throws UnstorableLinesError, EngineError; Error if the counts do not add up, which must never be committed
 */
export async function writeWindow(window: ClosedWindow, options: WriteOptions): Promise<WrittenWindow> {
  const { session, registry, duplicates, extra, parts, ephemeral = false } = options;
  const outcomes = new Map([...window.tenants].map(([tenantId, share]) => [tenantId, beginOutcome(share)]));
  const files: WrittenFile[] = [];
  const erased: ErasedPlace[] = [];
  const events = sql.eventsSql(registry, window.lines.eventLineBytes, extra);
  const quarantine = sql.quarantineSql(window.lines.rejectedLineBytes, extra);
  const folder = join(window.dir, 'parquet');
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const writer = new ParquetWriter({ session, window, folder, ephemeral });
  duplicates.begin();
  await session.run(sql.createBatchTable(window.files.batches));
  for (const part of splitRuns(window, parts)) {
    const line = { ...options, outcomes, writer };
    if (part.lines > 0) {
      const written = await writeEvents(window, part, { ...line, table: events });
      files.push(...written.files);
      erased.push(...written.erased);
    }
    if (window.lines.rejected > 0) {
      await session.run(sql.createLineTable(window.files.rejected, quarantine, part.batches));
      erased.push(...(await dropErased(window, quarantine, line)));
      files.push(...(await writer.write(quarantine, await windowPartitions(session, quarantine))));
    }
  }
  await session.run('DROP TABLE IF EXISTS line');
  await verify(window, { files, outcomes }, session);
  return { files, outcomes, erased };
}

/**
 * Writes a part's accepted events.
 *
 * If the previous window had no duplicates, DuckDB starts writing all rows while this process checks ids. If a
 * duplicate turns up, the rows are written again. The check is the shorter task: docs/performance.md, "Processor, one
 * tenant".
 */
async function writeEvents(
  window: ClosedWindow,
  part: Part,
  options: WriteOptions & { table: sql.TableSql; outcomes: Map<string, FlushOutcome>; writer: ParquetWriter },
): Promise<Omit<WrittenWindow, 'outcomes'>> {
  const { session, duplicates, erasures, table, outcomes, writer } = options;
  await session.run(sql.createLineTable(window.files.events, table, part.batches));
  const partitions = await inspectPart(part, options);
  const ids = join(window.dir, 'ids.csv');
  await session.run(sql.copyIds(ids));
  const isErased = [...outcomes.keys()].some((tenantId) => (erasures.get(tenantId)?.ids.length ?? 0) > 0);
  const all = duplicates.lastWindowHadNoDuplicates && !isErased;
  const places = placesOf(part);
  const [early, found] = await both(
    all ? writer.write(table, partitions, places) : undefined,
    // The statement is sent first, because the check keeps this process busy.
    setImmediate().then(() => judgePart(window, part, ids, options)),
  );
  if (early && found.duplicates.length === 0) return { files: early, erased: [] };
  for (const { localFile } of early ?? []) await rm(localFile);
  if (found.duplicates.length > 0) await dropDuplicates(window, found, options);
  const erased = await dropErased(window, table, options);
  return { files: await writer.write(table, await windowPartitions(session, table), places), erased };
}

/** Waits for both, even after a failure. Neither may run during the next attempt. */
async function both<A, B>(a: A, b: B): Promise<[Awaited<A>, Awaited<B>]> {
  await Promise.allSettled([a, b]);
  return Promise.all([a, b]);
}

/**
 * Limits of one COPY of several sources.
 *
 * Each open partition takes memory, and each COPY has a fixed cost: docs/performance.md, "Processor, many tenants".
 */
const ROWS_A_COPY = 8_000;
const PARTITIONS_A_COPY = 16;

/** Groups partitions by whole sources, each group as small as possible. Pure. */
export function groupPartitions(partitions: readonly sql.WindowPartition[]): sql.WindowPartition[][] {
  const groups: sql.WindowPartition[][] = [];
  let rows = Infinity;
  for (const own of Map.groupBy(partitions, ({ source }) => source).values()) {
    const more = sum(own, 'rows');
    const open = groups.at(-1);
    if (open && rows + more <= ROWS_A_COPY && open.length + own.length <= PARTITIONS_A_COPY) {
      open.push(...own);
      rows += more;
    } else {
      groups.push(own);
      rows = more;
    }
  }
  return groups;
}

/** Writer of the session's `line` table into files. */
class ParquetWriter {
  readonly #options: { session: EngineSession; window: ClosedWindow; folder: string; ephemeral: boolean };
  #copies = 0;

  constructor(options: { session: EngineSession; window: ClosedWindow; folder: string; ephemeral: boolean }) {
    this.#options = options;
  }

  /**
   * @param partitions of `line`, in the order of their sources
   * @param places of each source's rows in `line`, if known
   */
  async write(
    table: sql.TableSql,
    partitions: readonly sql.WindowPartition[],
    places?: ReadonlyMap<number, readonly sql.LineRange[]>,
  ): Promise<WrittenFile[]> {
    const groups = groupPartitions(partitions);
    const copied = await this.#options.session.runAll(groups.map((group) => this.#copy(table, group, places)));
    const files = copied.flatMap((rows, index) => {
      const [first, ...others] = groups[index]!;
      return rows.map(copyStats).map((copy) => {
        const { source_number: source, day } = copy.partition_keys;
        return this.#file(table, copy, others.length > 0 ? { source: Number(source), day: Number(day) } : first!);
      });
    });
    expectSame(`rows of ${table.name}`, sum(files, 'rows'), sum(partitions, 'rows'));
    return files;
  }

  #copy(
    table: sql.TableSql,
    partitions: readonly sql.WindowPartition[],
    places?: ReadonlyMap<number, readonly sql.LineRange[]>,
  ): string {
    const { folder, ephemeral } = this.#options;
    const path = join(folder, `${this.#copies++}${partitions.length > 1 ? '' : '.parquet'}`);
    const sources = new Set(partitions.map(({ source }) => source));
    const at = places && sql.joinRanges([...sources].flatMap((source) => places.get(source)!));
    return sql.copyRows(table, { path, partitions, ephemeral, ...(at ? { places: at } : {}) });
  }

  #file(table: sql.TableSql, copy: CopyStats, place: Pick<sql.WindowPartition, 'source' | 'day'>): WrittenFile {
    const { sources } = this.#options.window;
    const { day } = place;
    const source = sources[place.source];
    if (!source) throw new Error(`rows name source ${place.source} of ${sources.length}`);
    const stats = fileStats(copy, table.columns);
    checkBounds(copy, { ...source, day, ...timesOf(stats, TIME[table.name]) });
    return {
      table: table.name,
      source,
      date: utcDay(day * DAY_MS),
      localFile: copy.filename,
      bytes: copy.file_size_bytes,
      rows: copy.count,
      stats,
    };
  }
}

/** The column whose UTC date is a table's partition. */
const TIME = { events: 'event_time', quarantine: 'received_at' } as const;

/** Verifies that no row is outside the file's tenant, segment and date. */
function checkBounds(copy: CopyStats, expected: Source & { day: number; firstMs: number; lastMs: number }): void {
  for (const [column, id] of [
    ['"tenant_id"', expected.tenantId],
    ['"segment_id"', expected.segmentId],
  ] as const) {
    const { min, max, null_count: nulls } = copy.column_statistics[column] ?? {};
    expectSame(`${column} in ${copy.filename}`, `${min} to ${max}, ${nulls} null`, `${id} to ${id}, 0 null`);
  }
  expectSame(`first day in ${copy.filename}`, Math.floor(expected.firstMs / DAY_MS), expected.day);
  expectSame(`last day in ${copy.filename}`, Math.floor(expected.lastMs / DAY_MS), expected.day);
}

/**
 * First and last time of a file.
 *
 * The log rounds the upper bound up to a millisecond, maybe into the next day.
 */
function timesOf({ minValues, maxValues }: FileStats, column: string): { firstMs: number; lastMs: number } {
  const timeOf = (bound: unknown): number => (typeof bound === 'string' ? Date.parse(bound) : NaN);
  const firstMs = timeOf(minValues[column]);
  return { firstMs, lastMs: Math.max(firstMs, timeOf(maxValues[column]) - 1) };
}

async function verify(
  window: ClosedWindow,
  { files, outcomes }: Omit<WrittenWindow, 'erased'>,
  session: EngineSession,
): Promise<void> {
  if (files.length > 0) {
    const counted = await session.run(sql.countRows(files.map(({ localFile }) => localFile)));
    const rows = new Map(counted.map((row) => [String(row.file_name), Number(row.num_rows)]));
    for (const file of files) expectSame(`rows in ${file.localFile}`, rows.get(file.localFile), file.rows);
  }
  for (const [tenantId, { counts }] of outcomes) {
    const own = files.filter(({ source }) => source.tenantId === tenantId);
    counts.stored = sum(
      own.filter(({ table }) => table === 'events'),
      'rows',
    );
    expectSame(
      `events of ${tenantId}`,
      counts.stored + counts.duplicate + counts.unstorable + counts.erased,
      counts.accepted,
    );
    expectSame(
      `quarantine rows of ${tenantId}`,
      sum(
        own.filter(({ table }) => table === 'quarantine'),
        'rows',
      ) + counts.erasedRows,
      counts.quarantined,
    );
  }
  const all = (count: 'duplicate' | 'erased' | 'erasedRows'): number =>
    sum(
      [...outcomes.values()].map(({ counts }) => counts),
      count,
    );
  expectSame(
    'rows in all',
    sum(files, 'rows') + all('duplicate') + all('erased') + all('erasedRows'),
    window.lines.events + window.lines.rejected,
  );
}

function expectSame(what: string, actual: unknown, expected: unknown): void {
  if (actual !== expected) throw new Error(`${what}: ${String(actual)}, expected ${String(expected)}`);
}

function sum<K extends string>(rows: readonly Partial<Record<K, unknown>>[], key: K): number {
  return rows.reduce((total, row) => total + Number(row[key]), 0);
}

/** Parses a row of RETURN_STATS. DuckDB gives maps as lists of pairs. */
function copyStats(row: SqlRow): CopyStats {
  return {
    filename: String(row.filename),
    count: Number(row.count),
    file_size_bytes: Number(row.file_size_bytes),
    column_statistics: Object.fromEntries(
      mapEntries(row.column_statistics).map(([column, stats]) => [column, Object.fromEntries(mapEntries(stats))]),
    ) as CopyStats['column_statistics'],
    partition_keys: Object.fromEntries(mapEntries(row.partition_keys)) as CopyStats['partition_keys'],
  };
}

function mapEntries(map: unknown): [string, unknown][] {
  return ((map ?? []) as { key: string; value: unknown }[]).map(({ key, value }) => [key, value]);
}

import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileStats, type CopyStats, type FileStats } from '../../lake/delta/stats.ts';
import type { TableName } from '../../lake/tables.ts';
import type { Registry } from '../../schemas/registry.ts';
import type { Duplicates, IdRun, StoredIds } from '../dedupe/duplicates.ts';
import type { Source } from '../window/message.ts';
import type { ClosedWindow, LineRun } from '../window/window.ts';
import { EngineError, type Row, type Session } from './engine.ts';
import * as sql from './sql.ts';

/** A finished Parquet file on local disk, of one tenant, segment and date. */
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

/** What became of a tenant's share of a window: accepted = stored + duplicate + setAside. */
export interface Outcome {
  accepted: number;
  stored: number;
  duplicate: number;
  /** Accepted events that could not become rows and are in the quarantine. */
  setAside: number;
  /** Rows of the quarantine table. */
  quarantined: number;
  /** Duplicates by receipt, where there are any. */
  duplicates: Record<string, number>;
}

export interface WrittenWindow {
  files: WrittenFile[];
  /** By tenant. */
  outcomes: Map<string, Outcome>;
}

export interface WriteOptions {
  registry: Registry;
  session: Session;
  duplicates: Duplicates;
  stored: StoredIds;
  /** In how many parts to write, one after the other: each needs its share of the memory. */
  parts: number;
}

/** A line of the events file that must not become a row, with the quarantine's code and message. */
export interface UnstorableLine {
  line: number;
  code: 'event_unreadable' | 'schema_unknown';
  message: string;
}

export class UnstorableLines extends Error {
  readonly lines: readonly UnstorableLine[];

  constructor(lines: readonly UnstorableLine[]) {
    super(`${lines.length} lines cannot become rows: ${lines[0]?.message}`);
    this.name = 'UnstorableLines';
    this.lines = lines;
  }
}

const MESSAGES = {
  schema_unknown: 'The event has a type or schema version that this processor does not know. Upgrade it, then redrive.',
  event_unreadable: "The event's time cannot be stored.",
} as const satisfies Record<UnstorableLine['code'], string>;

const DAY_MS = 86_400_000;

/**
 * Turns a window into sorted Parquet files on local disk, leaving out duplicates, and verifies them: rows against lines,
 * each file's footer, and each file's tenant, segment and date against its rows' bounds.
 * @throws UnstorableLines, EngineError; Error when the counts do not add up, which must never be committed.
 */
export async function writeWindow(window: ClosedWindow, options: WriteOptions): Promise<WrittenWindow> {
  const { session, registry, duplicates, parts } = options;
  const outcomes = new Map<string, Outcome>();
  for (const [tenantId, share] of window.tenants) {
    outcomes.set(tenantId, { ...share, stored: 0, duplicate: 0, duplicates: {} });
  }
  const files: WrittenFile[] = [];
  const events = sql.eventsSql(registry);
  const quarantine = sql.quarantineSql(window.rejectedLineBytes);
  const folder = join(window.dir, 'parquet');
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const writer = new RowWriter(session, window, folder);
  duplicates.begin();
  await session.run(sql.createBatchTable(window.batchesFile));
  for (const part of splitRuns(window, parts)) {
    if (part.lines > 0) {
      await session.run(sql.createLineTable(window.eventsFile, events, part.batches));
      await checkLines(part, events, options);
      await dropDuplicates(window, part, { ...options, outcomes });
      files.push(...(await writer.write(events)));
    }
    if (window.rejected > 0) {
      await session.run(sql.createLineTable(window.rejectedFile, quarantine, part.batches));
      files.push(...(await writer.write(quarantine)));
    }
  }
  await session.run('DROP TABLE IF EXISTS line');
  await verify(window, { files, outcomes }, session);
  return { files, outcomes };
}

/** A range of a window's messages. */
interface Part {
  runs: LineRun[];
  firstLine: number;
  lines: number;
  batches: sql.BatchRange;
}

/** Cuts a window between messages into parts of about as many lines each. */
function splitRuns(window: ClosedWindow, parts: number): Part[] {
  const size = Math.max(1, Math.ceil(window.lines / parts));
  const cut: LineRun[][] = [[]];
  for (const run of window.runs) {
    if (run.firstLine >= size * cut.length) cut.push([]);
    cut.at(-1)!.push(run);
  }
  const chosen = cut.filter((runs, index) => runs.length > 0 || index === 0);
  return chosen.map((runs, index) => {
    const next = chosen[index + 1]?.[0];
    const firstLine = runs[0]?.firstLine ?? 0;
    return {
      runs,
      firstLine,
      lines: (next?.firstLine ?? window.lines) - firstLine,
      batches: { from: index === 0 ? 0 : runs[0]!.firstBatch, to: next?.firstBatch ?? window.batches },
    };
  });
}

async function checkLines(part: Part, table: sql.TableSql, { session, registry }: WriteOptions): Promise<void> {
  const [counted] = await session.run(sql.COUNT_LINES);
  const batchSum = part.runs.reduce((total, run) => total + run.batchSum, 0);
  if (Number(counted?.lines) !== part.lines || Number(counted?.batch_sum) !== batchSum) {
    throw new EngineError('data', `${part.lines} lines of the window were read as ${JSON.stringify(counted)}`);
  }
  const rows = await session.run(sql.selectUnstorable(registry, table));
  if (rows.length === 0) return;
  throw new UnstorableLines(
    rows.map(({ line, code }) => {
      const known = code === 'schema_unknown' ? code : 'event_unreadable';
      return { line: part.firstLine + Number(line), code: known, message: MESSAGES[known] };
    }),
  );
}

async function dropDuplicates(
  window: ClosedWindow,
  part: Part,
  { session, duplicates, stored, outcomes }: WriteOptions & { outcomes: Map<string, Outcome> },
): Promise<void> {
  const [ids] = await session.run(sql.SELECT_IDS);
  const runs = part.runs.map((run, index): IdRun => {
    const first = run.firstLine - part.firstLine;
    const end = index + 1 < part.runs.length ? part.runs[index + 1]!.firstLine - part.firstLine : part.lines;
    return { tenantId: window.sources[run.source]!.tenantId, first, count: end - first };
  });
  const hex = typeof ids?.hex === 'string' ? ids.hex : '';
  if (hex.length !== part.lines * 32)
    throw new Error(`${hex.length / 32} event ids were read from ${part.lines} lines`);
  const batch = { hex, runs, allUuids: ids?.all_uuids === true, receivedMs: window.receivedMs };
  const lines = await duplicates.judge(batch, stored);
  if (lines.length === 0) return;
  const file = join(window.dir, 'duplicates.ndjson');
  await writeFile(file, lines.map((line) => `{"line":${line}}\n`).join(''));
  for (const { tenant_id: tenantId, receipt_id: receipt, rows } of await session.run(sql.selectReceipts(file))) {
    const outcome = outcomes.get(String(tenantId))!;
    outcome.duplicate += Number(rows);
    outcome.duplicates[String(receipt)] = (outcome.duplicates[String(receipt)] ?? 0) + Number(rows);
  }
  await session.run(sql.deleteLines(file));
}

/** Writes what is in the session's `line` table to files of its own. */
class RowWriter {
  readonly #session: Session;
  readonly #window: ClosedWindow;
  readonly #folder: string;
  #copies = 0;

  constructor(session: Session, window: ClosedWindow, folder: string) {
    this.#session = session;
    this.#window = window;
    this.#folder = folder;
  }

  async write(table: sql.TableSql): Promise<WrittenFile[]> {
    const partitions = await this.#session.run(sql.selectPartitions(table));
    if (partitions.length === 0) return [];
    const partitioned = partitions.length > 1;
    const target = join(this.#folder, `${this.#copies++}${partitioned ? '' : '.parquet'}`);
    const copied = (await this.#session.run(sql.copyRows(table, target, partitioned))).map(copyStats);
    const files = copied.map((copy) => {
      const { s, day } = partitioned ? copy.partition_keys : partitions[0]!;
      return this.#file(table, copy, { s: Number(s), day: Number(day) });
    });
    expectSame(`rows of ${table.name}`, sum(files, 'rows'), sum(partitions, 'rows'));
    return files;
  }

  #file(table: sql.TableSql, copy: CopyStats, { s, day }: { s: number; day: number }): WrittenFile {
    const source = this.#window.sources[s];
    if (!source) throw new Error(`rows name source ${s} of ${this.#window.sources.length}`);
    const stats = fileStats(copy, table.columns);
    checkBounds(copy, { ...source, startMs: day * DAY_MS, time: stats.minValues[TIME[table.name]] });
    return {
      table: table.name,
      source,
      date: new Date(day * DAY_MS).toISOString().slice(0, 10),
      localFile: copy.filename,
      bytes: copy.file_size_bytes,
      rows: copy.count,
      stats,
    };
  }
}

/** The column whose UTC date is a table's partition. */
const TIME = { events: 'event_time', quarantine: 'received_at' } as const;

/** A row of another tenant or segment, or of an earlier date, would be outside of the file's bounds. */
function checkBounds(copy: CopyStats, expected: Source & { startMs: number; time: unknown }): void {
  for (const [column, id] of [
    ['"tenant_id"', expected.tenantId],
    ['"segment_id"', expected.segmentId],
  ] as const) {
    const { min, max, null_count: nulls } = copy.column_statistics[column] ?? {};
    expectSame(`${column} in ${copy.filename}`, `${min} to ${max}, ${nulls} null`, `${id} to ${id}, 0 null`);
  }
  const dayMs = Math.floor(Date.parse(String(expected.time)) / DAY_MS) * DAY_MS;
  expectSame(`first date in ${copy.filename}`, dayMs, expected.startMs);
}

async function verify(window: ClosedWindow, { files, outcomes }: WrittenWindow, session: Session): Promise<void> {
  if (files.length > 0) {
    const counted = await session.run(sql.countRows(files.map(({ localFile }) => localFile)));
    const rows = new Map(counted.map((row) => [String(row.file_name), Number(row.num_rows)]));
    for (const file of files) expectSame(`rows in ${file.localFile}`, rows.get(file.localFile), file.rows);
  }
  for (const [tenantId, outcome] of outcomes) {
    const own = files.filter(({ source }) => source.tenantId === tenantId);
    outcome.stored = sum(
      own.filter(({ table }) => table === 'events'),
      'rows',
    );
    expectSame(`events of ${tenantId}`, outcome.stored + outcome.duplicate + outcome.setAside, outcome.accepted);
    expectSame(
      `quarantine rows of ${tenantId}`,
      sum(
        own.filter(({ table }) => table === 'quarantine'),
        'rows',
      ),
      outcome.quarantined,
    );
  }
  expectSame(
    'rows in all',
    sum(files, 'rows') + sum([...outcomes.values()], 'duplicate'),
    window.lines + window.rejected,
  );
}

function expectSame(what: string, actual: unknown, expected: unknown): void {
  if (actual !== expected) throw new Error(`${what}: ${String(actual)}, expected ${String(expected)}`);
}

function sum<K extends string>(rows: readonly Partial<Record<K, unknown>>[], key: K): number {
  return rows.reduce((total, row) => total + Number(row[key]), 0);
}

/** A row of RETURN_STATS: DuckDB's maps come as lists of key and value. */
function copyStats(row: Row): CopyStats {
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

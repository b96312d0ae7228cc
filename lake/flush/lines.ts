import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Column } from '../../schemas/columns.ts';
import type { Registry } from '../../schemas/registry.ts';
import { formatRanges, parseRanges } from '../counts/dayCounts.ts';
import type { ErasureList } from '../erasure/list.ts';
import type { Duplicates, IdRun, Judged, StoredIds } from '../dedupe/duplicates.ts';
import { PROCESSOR_CODES, type ProcessorCode } from '../window/rejected.ts';
import type { ClosedWindow, LineRun } from '../window/closedWindow.ts';
import type { FlushOutcome } from './outcome.ts';
import { EngineError, type EngineSession } from '../duckdb/engine.ts';
import type { SqlRow } from '../duckdb/sqlEngine.ts';
import { readUuidLines } from './idLines.ts';
import * as sql from './sql.ts';
import { utcDay } from '../../runtime/units.ts';

export interface WriteOptions {
  registry: Registry;
  session: EngineSession;
  duplicates: Duplicates;
  stored: StoredIds;
  /** Erasure lists of the tenants that have one. */
  erasures: ReadonlyMap<string, ErasureList>;
  /** File of earlier erasures (lake/flush/erased.ts), if messages are read again. */
  erasedBefore?: string;
  /** Columns of the files beyond the table's own. */
  extra?: readonly Column[];
  /** Files for the next seconds, neither sorted nor compressed. Either would take more time than it saves. */
  ephemeral?: boolean;
  /** Number of parts, written in turn. Each part needs its share of the memory. */
  parts: number;
}

/** An unstorable line of the events file, with the quarantine's verdict. */
export interface UnstorableLine {
  line: number;
  code: Exclude<ProcessorCode, 'message_malformed'>;
  message: string;
}

export class UnstorableLinesError extends Error {
  readonly lines: readonly UnstorableLine[];

  constructor(lines: readonly UnstorableLine[]) {
    super(`${lines.length} lines cannot become rows: ${lines[0]?.message}`);
    this.name = 'UnstorableLinesError';
    this.lines = lines;
  }
}

const ID_DIGITS = 32;

/** A run of a part, with its first line's index there. */
interface PartRun extends LineRun {
  first: number;
}

/** A range of a window's messages. */
export interface Part {
  /** In file order. */
  runs: PartRun[];
  lines: number;
  batches: sql.BatchRange;
}

/** Cuts a window between messages into parts of about equal line counts. */
export function splitRuns(window: ClosedWindow, parts: number): Part[] {
  const size = Math.max(1, Math.ceil(window.lines.events / parts));
  const cuts: number[] = [0];
  let before = 0;
  for (const run of inStreamOrder(window.runs)) {
    if (before >= size * cuts.length) cuts.push(run.firstBatch);
    before += run.lines;
  }
  return cuts.map((from, index) => partOf(window, { from, to: cuts[index + 1] ?? window.lines.batches }));
}

function partOf(window: ClosedWindow, batches: sql.BatchRange): Part {
  const runs: PartRun[] = [];
  let lines = 0;
  for (const run of window.runs) {
    if (run.firstBatch < batches.from || run.firstBatch >= batches.to) continue;
    runs.push({ ...run, first: lines });
    lines += run.lines;
  }
  return { runs, lines, batches };
}

/** Runs so that those of a tenant are in stream order. */
function inStreamOrder<Run extends LineRun>(runs: readonly Run[]): Run[] {
  return runs.toSorted((a, b) => a.firstBatch - b.firstBatch);
}

/** Ranges of each source's lines in the `line` table of a part. */
export function placesOf({ runs }: Part): Map<number, sql.LineRange[]> {
  const places = new Map<number, sql.LineRange[]>();
  for (const [source, own] of Map.groupBy(runs, (run) => run.source)) {
    places.set(
      source,
      own.map(({ first, lines }) => ({ from: first, to: first + lines })),
    );
  }
  return places;
}

/**
 * Checks a part's lines, and returns their partitions.
 * @throws UnstorableLinesError, EngineError
 */
export async function inspectPart(
  part: Part,
  options: WriteOptions & { table: sql.TableSql },
): Promise<sql.WindowPartition[]> {
  const { session, registry, table } = options;
  const found = await session.run(sql.inspectPartitions(registry, table));
  const total = (column: string): number => found.reduce((sum, row) => sum + Number(row[column]), 0);
  const read = { lines: total('rows'), batchSum: total('batch_sum'), known: total('known') };
  const batchSum = part.runs.reduce((sum, run) => sum + run.batchSum, 0);
  if (read.lines !== part.lines || read.batchSum !== batchSum) throw readAs(part, read);
  const partitions = found.map(toPartition);
  const storable = partitions.filter(sql.isStorable).reduce((rows, partition) => rows + partition.rows, 0);
  if (read.known !== part.lines || storable !== part.lines) {
    const lines = await unstorable(part, options);
    throw lines.lines.length > 0 ? lines : readAs(part, { ...read, storable });
  }
  return partitions;
}

function readAs({ lines }: Part, found: Record<string, unknown>): EngineError {
  return new EngineError('data', `${lines} lines were read as ${JSON.stringify(found)}`);
}

/** Reads the partitions of the session's `line` table. */
export async function windowPartitions(session: EngineSession, table: sql.TableSql): Promise<sql.WindowPartition[]> {
  return (await session.run(sql.selectPartitions(table))).map(toPartition);
}

function toPartition({ source_number: source, day, rows }: SqlRow): sql.WindowPartition {
  return { source: Number(source), day: Number(day), rows: Number(rows) };
}

/** The ids of lines, 16 bytes each. */
interface Ids {
  ids: Uint8Array;
  allUuids: boolean;
}

/** Reads the ids of the lines. @throws EngineError if their number differs */
async function idsOf(session: EngineSession, file: string, part: Part): Promise<Ids> {
  const uuids = await readUuidLines(file, part.lines);
  if (uuids) return { ids: uuids, allUuids: true };
  const [found = {}] = await session.run(sql.selectIds());
  const hex = typeof found.hex === 'string' ? found.hex : '';
  if (hex.length !== part.lines * ID_DIGITS) throw readAs(part, { ids: hex.length });
  return { ids: Buffer.from(hex, 'hex'), allUuids: found.all_uuids === true };
}

async function unstorable(
  part: Part,
  { session, registry, table }: WriteOptions & { table: sql.TableSql },
): Promise<UnstorableLinesError> {
  const rows = await session.run(sql.selectUnstorable(registry, table));
  return new UnstorableLinesError(
    rows.map(({ line, code }) => {
      const known = code === 'schema_unknown' ? code : 'event_unreadable';
      return { line: lineInWindow(part, Number(line)), code: known, message: PROCESSOR_CODES[known] };
    }),
  );
}

/** Number of a part's line in the window's file. */
function lineInWindow({ runs }: Part, line: number): number {
  const run = runs.find(({ first, lines }) => line < first + lines)!;
  return run.firstLine + line - run.first;
}

/**
 * Finds the part's lines whose events are stored already, by row id.
 * @param file ids of the lines, as sql.copyIds writes them
 * @throws EngineError
 */
export async function judgePart(
  window: ClosedWindow,
  part: Part,
  file: string,
  { session, duplicates, stored }: Pick<WriteOptions, 'session' | 'duplicates' | 'stored'>,
): Promise<Judged> {
  const { ids, allUuids } = await idsOf(session, file, part);
  const runs = inStreamOrder(part.runs).map(({ source, first, lines, contents }): IdRun => ({
    tenantId: window.sources[source]!.tenantId,
    first,
    count: lines,
    contents,
  }));
  return duplicates.judge({ ids, allUuids, runs, ...window.times }, stored);
}

/** Removes duplicates from the session's `line` table, and counts them. */
export async function dropDuplicates(
  window: ClosedWindow,
  { duplicates, differing }: Judged,
  options: { session: EngineSession; outcomes: Map<string, FlushOutcome> },
): Promise<void> {
  const file = await countLines(window, { lines: duplicates, count: 'duplicate', positions: 'duplicates' }, options);
  if (differing.length > 0)
    await countLines(window, { lines: differing, count: 'differing', positions: 'differing' }, options);
  await options.session.run(sql.deleteLines(file));
}

/** Counts lines by tenant, day and receipt; returns the file of their numbers. */
async function countLines(
  window: ClosedWindow,
  { lines, count, positions }: CountedLines,
  { session, outcomes }: { session: EngineSession; outcomes: Map<string, FlushOutcome> },
): Promise<string> {
  const file = join(window.dir, `${positions}.ndjson`);
  await writeFile(file, lines.map((line) => `{"line":${line}}\n`).join(''));
  for (const row of await session.run(sql.selectReceipts(file))) {
    const outcome = outcomes.get(String(row.tenant_id))!;
    const rows = Number(row.rows);
    outcome.counts[count] += rows;
    outcome.days.get(utcDay(Number(row.received_ms)))![count] += rows;
    outcome.positions[positions][String(row.receipt_id)] = formatRanges(parseRanges(String(row.indexes)));
  }
  return file;
}

/** Lines to count, and the outcome's names for them. */
interface CountedLines {
  lines: readonly number[];
  count: 'duplicate' | 'differing';
  positions: 'duplicates' | 'differing';
}

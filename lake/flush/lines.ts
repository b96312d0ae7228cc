import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Column } from '../../schemas/columns.ts';
import type { Registry } from '../../schemas/registry.ts';
import { formatRanges, parseRanges } from '../counts/dayCounts.ts';
import type { ErasureList } from '../erasure/list.ts';
import type { Duplicates, IdRun, StoredIds } from '../dedupe/duplicates.ts';
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
  /** Who is erased, of the tenants that have erased somebody. */
  erasures: ReadonlyMap<string, ErasureList>;
  /** File of what was erased before (lake/flush/erased.ts), where messages are read again. */
  erasedBefore?: string;
  /** Columns that files get besides their table's own. */
  extra?: readonly Column[];
  /** Files for queries of the next seconds: neither sorted nor compressed, since more time would go into that than it saves. */
  ephemeral?: boolean;
  /** In how many parts to write, one after the other: each needs its share of the memory. */
  parts: number;
}

/** A line of the events file that must not become a row, with the quarantine's code and message. */
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

/** A run of a part, with the index of its first line among the part's. */
interface PartRun extends LineRun {
  first: number;
}

/** A range of a window's messages. */
export interface Part {
  /** In the order of the file. */
  runs: PartRun[];
  lines: number;
  batches: sql.BatchRange;
}

/** Cuts a window between messages, in the order of the stream, into parts of about as many lines each. */
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

function inStreamOrder<Run extends LineRun>(runs: readonly Run[]): Run[] {
  return runs.toSorted((a, b) => a.sequence - b.sequence);
}

/** Where in the session's `line` table, once it is made from the part, the lines of each source are. */
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
 * Looks at the part's lines: all as they should be, and each storable. Returns their partitions.
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

/** Which partitions the session's `line` table has. */
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

/** The ids of the lines. @throws EngineError when they are not as many as the lines */
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

/** Of a line of the part, its number in the window's file. */
function lineInWindow({ runs }: Part, line: number): number {
  const run = runs.find(({ first, lines }) => line < first + lines)!;
  return run.firstLine + line - run.first;
}

/**
 * The part's lines whose events are stored already, by row id of `line`.
 * @param file their ids, as sql.copyIds writes them
 * @throws EngineError
 */
export async function judgePart(
  window: ClosedWindow,
  part: Part,
  file: string,
  { session, duplicates, stored }: Pick<WriteOptions, 'session' | 'duplicates' | 'stored'>,
): Promise<number[]> {
  const { ids, allUuids } = await idsOf(session, file, part);
  const runs = inStreamOrder(part.runs).map(({ source, first, lines }): IdRun => ({
    tenantId: window.sources[source]!.tenantId,
    first,
    count: lines,
  }));
  return duplicates.judge({ ids, allUuids, runs, ...window.times }, stored);
}

/** Removes duplicates from the session's `line` table, and counts them. */
export async function dropDuplicates(
  window: ClosedWindow,
  lines: readonly number[],
  { session, outcomes }: { session: EngineSession; outcomes: Map<string, FlushOutcome> },
): Promise<void> {
  const file = join(window.dir, 'duplicates.ndjson');
  await writeFile(file, lines.map((line) => `{"line":${line}}\n`).join(''));
  for (const row of await session.run(sql.selectReceipts(file))) {
    const outcome = outcomes.get(String(row.tenant_id))!;
    const rows = Number(row.rows);
    outcome.counts.duplicate += rows;
    outcome.days.get(utcDay(Number(row.received_ms)))!.duplicate += rows;
    outcome.positions.duplicates[String(row.receipt_id)] = formatRanges(parseRanges(String(row.indexes)));
  }
  await session.run(sql.deleteLines(file));
}

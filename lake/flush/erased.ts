import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { formatRanges, parseRanges } from '../counts/dayCounts.ts';
import type { ErasureList } from '../erasure/list.ts';
import { eventErased, hasWord, selectErasedWords } from '../erasure/suppress.ts';
import { literal } from '../duckdb/sqlText.ts';
import type { TableName } from '../layout/tables.ts';
import type { Source } from '../../stream/message.ts';
import type { ClosedWindow } from '../window/closedWindow.ts';
import type { FlushOutcome } from './outcome.ts';
import type { EngineSession } from '../duckdb/engine.ts';
import * as sql from './sql.ts';
import { DAY_MS, utcDay } from '../../runtime/units.ts';

export interface DropErasedOptions {
  session: EngineSession;
  /** Erasure lists of the tenants that have one. */
  erasures: ReadonlyMap<string, ErasureList>;
  /**
   * Lines of ErasedLine from earlier commits, for messages that are read again.
   *
   * An erasure examines rejected events more closely than hashes allow. The events it found must not come back.
   */
  erasedBefore?: string;
  outcomes: Map<string, FlushOutcome>;
}

/** A line of the file `erasedBefore`. */
export interface ErasedLine {
  table: TableName;
  receipt: string;
  position: number;
}

/** Erased events of one batch and one partition. */
export interface ErasedPlace {
  table: TableName;
  source: Source;
  /** Date of the partition that they would be in. */
  date: string;
  receiptId: string;
  /** UTC date of receipt. */
  receivedDay: string;
  positions: number[];
}

/** Position and counter of erased events in each table. */
const KINDS = {
  events: { position: 'line.i', count: 'erased' },
  quarantine: { position: 'coalesce(line."index", 0)', count: 'erasedRows' },
} as const;

/** SQL condition: a row of `line` is of an erased person; undefined if no row is. */
async function erasedRows(
  { name }: sql.TableSql,
  session: EngineSession,
  [tenantId, list]: [string, ErasureList],
): Promise<string | undefined> {
  if (name === 'events') return eventErased(tenantId, list);
  const conditions: string[] = [];
  for (const [segment, ids] of Map.groupBy(list.ids, (id) => id.segment)) {
    const words = await session.run(selectErasedWords(tenantId, { ids }, segment));
    if (words.length === 0) continue;
    const named = hasWord(words.map(({ word }) => String(word)));
    conditions.push(segment === undefined ? named : `(batch.segment_id = ${literal(segment)} AND ${named})`);
  }
  return conditions.length === 0 ? undefined : conditions.join(' OR ');
}

/** Removes erased people's events of one kind from `line`, and counts them. */
export async function dropErased(
  window: ClosedWindow,
  table: sql.TableSql,
  { session, erasures, erasedBefore, outcomes }: DropErasedOptions,
): Promise<ErasedPlace[]> {
  const { position, count } = KINDS[table.name];
  const concerned = [...erasures].filter(([tenantId, { ids }]) => ids.length > 0 && outcomes.has(tenantId));
  if (concerned.length === 0) return [];
  const conditions: string[] = [];
  for (const one of concerned) {
    const erased = await erasedRows(table, session, one);
    if (erased !== undefined) conditions.push(`(batch.tenant_id = ${literal(one[0])} AND (${erased}))`);
  }
  if (erasedBefore !== undefined) {
    conditions.push(
      `(batch.receipt_id, ${position}) IN (SELECT (receipt, position) FROM read_json(${literal(erasedBefore)},
         format = 'newline_delimited', columns = {'table': 'VARCHAR', 'receipt': 'VARCHAR', 'position': 'INTEGER'})
       WHERE "table" = ${literal(table.name)})`,
    );
  }
  if (conditions.length === 0) return [];
  const lines = await session.run(sql.selectLines(conditions.join(' OR ')));
  if (lines.length === 0) return [];
  const file = join(window.dir, 'erased.ndjson');
  await writeFile(file, lines.map(({ line }) => `{"line":${Number(line)}}\n`).join(''));
  const places: ErasedPlace[] = [];
  for (const row of await session.run(sql.selectReceipts(file, position, table.day))) {
    const outcome = outcomes.get(String(row.tenant_id))!;
    const rows = Number(row.rows);
    const receivedDay = utcDay(Number(row.received_ms));
    outcome.counts[count] += rows;
    outcome.days.get(receivedDay)![count] += rows;
    const receipts = outcome.positions[table.name === 'events' ? 'erasedEvents' : 'erasedRejected'];
    const receiptId = String(row.receipt_id);
    const positions = parseRanges(String(row.indexes));
    receipts[receiptId] = formatRanges([...parseRanges(receipts[receiptId] ?? ''), ...positions]);
    const date = utcDay(Number(row.day) * DAY_MS);
    places.push({
      table: table.name,
      source: window.sources[Number(row.source_number)]!,
      date,
      receiptId,
      receivedDay,
      positions,
    });
  }
  await session.run(sql.deleteLines(file));
  return places;
}

import { filesThatMayHold, idFile } from '../../lake/dedupe/plan.ts';
import type { AddFile } from '../../lake/delta/actions.ts';
import type { FileStats } from '../../lake/delta/stats.ts';
import type { Snapshot } from '../../lake/delta/snapshot.ts';
import type { LocalFiles } from '../../lake/files/localFiles.ts';
import type { SqlEngine, SqlRow } from '../../lake/duckdb/sqlEngine.ts';
import { literal } from '../../lake/duckdb/sqlText.ts';
import { parseFileName, tableRoot, type TableName } from '../../lake/layout/tables.ts';

export interface RowReading {
  localFiles: LocalFiles;
  engine: SqlEngine;
}

/** Place and identity of a row. */
export interface RowPlace {
  receiptId: string;
  /** Position in the batch; null for a whole body or message. */
  index: number | null;
  eventId: string | null;
  type: string | null;
  segmentId: string;
  /** Milliseconds since 1970. */
  receivedMs: number;
  /** Path of the data file in the lake. */
  file: string;
  /** Reason for the quarantine; absent for events. */
  refused?: { code: string; path: string; message: string };
}

const PLACE = 'receipt_id, receipt_index, event_id, type, segment_id, epoch_ms(received_at) AS received_ms, filename';
const REFUSED = 'code, path, message';

/** Rows of a batch in a table, in the order of the batch. */
export async function rowsOfReceipt(
  reading: RowReading,
  table: TableToRead,
  receipt: { id: string; stream: string; sequence: number },
): Promise<RowPlace[]> {
  const files = [...table.snapshot.files.values()].filter((file) => mayHoldReceipt(file, receipt));
  return places(reading, table, { files, where: `receipt_id = ${literal(receipt.id)}` });
}

/** Rows of a table with one of these event ids, in any case. */
export async function rowsOfEvents(
  reading: RowReading,
  table: TableToRead,
  eventIds: readonly string[],
): Promise<RowPlace[]> {
  const ids = eventIds.map((id) => id.toLowerCase()).sort();
  const bounds = new Map([...table.snapshot.files.values()].map((file) => [file.path, idFile(file)]));
  const near = new Set(filesThatMayHold(ids, [...bounds.values()]).map(({ path }) => path));
  const files = [...table.snapshot.files.values()].filter(({ path }) => near.has(path));
  return places(reading, table, { files, where: `lower(event_id) IN (${ids.map(literal).join(', ')})` });
}

/** A table's snapshot, with its name and tenant. */
export interface TableToRead {
  name: TableName;
  tenantId: string;
  snapshot: Snapshot;
}

async function places(
  { localFiles, engine }: RowReading,
  { name, tenantId }: TableToRead,
  { files, where }: { files: readonly AddFile[]; where: string },
): Promise<RowPlace[]> {
  if (files.length === 0) return [];
  const root = tableRoot(name, tenantId);
  const lease = await localFiles.lease(root, files);
  const session = engine.session();
  try {
    const paths = new Map([...lease.paths].map(([path, local]) => [local, `${root}/${path}`]));
    const columns = name === 'events' ? PLACE : `${PLACE}, ${REFUSED}`;
    const rows = await session.run(
      `SELECT ${columns} FROM read_parquet([${[...paths.keys()].map(literal).join(', ')}], filename = true)
       WHERE ${where} ORDER BY receipt_id, receipt_index`,
    );
    return rows.map((row) => placeOf(row, paths));
  } finally {
    await session.close();
    await lease.release();
  }
}

function placeOf(row: SqlRow, paths: ReadonlyMap<string, string>): RowPlace {
  const text = (name: string): string | null => (typeof row[name] === 'string' ? row[name] : null);
  return {
    receiptId: String(row.receipt_id),
    index: row.receipt_index === null ? null : Number(row.receipt_index),
    eventId: text('event_id'),
    type: text('type'),
    segmentId: String(row.segment_id),
    receivedMs: Number(row.received_ms),
    file: paths.get(String(row.filename)) ?? String(row.filename),
    ...('code' in row
      ? { refused: { code: String(row.code), path: String(row.path), message: String(row.message) } }
      : {}),
  };
}

/** True if the file's statistics and name allow rows of the receipt. */
function mayHoldReceipt(
  { path, stats }: AddFile,
  { id, stream, sequence }: { id: string; stream: string; sequence: number },
): boolean {
  const { minValues, maxValues } = (stats === undefined ? {} : JSON.parse(stats)) as Partial<FileStats>;
  const min = minValues?.receipt_id;
  const max = maxValues?.receipt_id;
  if (typeof min === 'string' && typeof max === 'string' && (id < min || id > max)) return false;
  const source = parseFileName(path);
  if (source?.stream !== stream) return true;
  return source.firstSequence <= sequence && sequence <= source.lastSequence;
}

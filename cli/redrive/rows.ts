import { filesThatMayHold, idFile } from '../../lake/dedupe/plan.ts';
import type { AddFile } from '../../lake/delta/actions.ts';
import type { Scope } from '../../lake/files/prune.ts';
import type { QueryAnswer } from '../../query/engine/query.ts';
import type { Json } from '../../query/formats/values.ts';
import { literal } from '../../lake/duckdb/sqlText.ts';
import type { KeyKind } from '../../schemas/keys.ts';

/** A row of the quarantine table. Times are ISO 8601 in UTC. */
export interface QuarantinedRow {
  receiptId: string;
  /** Position in the sender's batch; null: a whole body or message. */
  index: number | null;
  segmentId: string;
  receivedAt: string;
  sentAt: string | null;
  code: string;
  path: string;
  message: string;
  eventId: string | null;
  type: string | null;
  schemaVersion: number | null;
  keyId: string | null;
  keyKind: KeyKind | null;
  userAgent: string | null;
  raw: string;
  /** Result of a fix in SQL; null if it fails or is null. */
  fixed: string | null;
}

/** Bounds of rows on a command line. */
export interface RowFilter extends Pick<Scope, 'segmentIds' | 'from' | 'to'> {
  code?: string | undefined;
  eventId?: string | undefined;
  receiptId?: string | undefined;
}

export interface PageRequest extends RowFilter {
  limit: number;
  newestFirst?: boolean;
  after?: QuarantinedRow | undefined;
  /** An SQL expression over a row, for `fixed`. */
  expression?: string | undefined;
}

/** Run an SQL statement over `quarantine_all` and `events_all` of a tenant. */
export type Ask = (sql: string, scope: Scope) => Promise<QueryAnswer>;

const COLUMNS = [
  'receipt_id',
  'receipt_index',
  'segment_id',
  'received_at',
  'sent_at',
  'code',
  'path',
  'message',
  'event_id',
  'type',
  'schema_version',
  'key_id',
  'key_kind',
  'user_agent',
  'raw',
];
/** SQL expressions that name a row, and sort rows by receipt. */
const KEY = ['received_at', 'receipt_id', 'coalesce(receipt_index, -1)'];
const ALL_SEGMENTS: Scope = { segmentIds: [] };

/** Read the next page of rows, by receipt. Large rows make shorter pages. */
export async function readPage(ask: Ask, request: PageRequest): Promise<{ rows: QuarantinedRow[]; more: boolean }> {
  const { limit, newestFirst, after, expression } = request;
  const direction = newestFirst ? 'DESC' : 'ASC';
  const conditions = [...filterConditions(request), ...(after ? [`(${KEY.join(', ')}) > (${keyOf(after)})`] : [])];
  // TRY keeps a fault within its row, and rejects functions that are not deterministic. The end of the line ends a comment
  // in the expression.
  const fixed = expression === undefined ? 'NULL::VARCHAR' : `TRY(CAST((${expression}\n) AS VARCHAR))`;
  const answer = await ask(
    `SELECT ${COLUMNS.join(', ')}, ${fixed} AS fixed FROM quarantine_all
     WHERE ${['true', ...conditions].join(' AND ')}
     ORDER BY ${KEY.map((part) => `${part} ${direction}`).join(', ')} LIMIT ${limit + 1}`,
    request,
  );
  const rows = answer.rows.slice(0, limit).map(toRow);
  if (rows.length === 0 && answer.truncated) throw new Error('a row of the quarantine is larger than an answer may be');
  return { rows, more: answer.rows.length > limit || answer.truncated };
}

/** Count rows by code and path. */
export async function countByCode(
  ask: Ask,
  filter: RowFilter,
): Promise<{ code: string; path: string; rows: number }[]> {
  const where = ['true', ...filterConditions(filter)].join(' AND ');
  const answer = await ask(
    `SELECT code, path, count(*) AS n FROM quarantine_all WHERE ${where} GROUP BY 1, 2 ORDER BY n DESC, 1, 2`,
    filter,
  );
  return answer.rows.map(([code, path, rows]) => ({ code: textOf(code), path: textOf(path), rows: Number(rows) }));
}

/** Find the places `<receipt>/<index>` of redriven events. */
export async function redrivenPlaces(ask: Ask, receiptIds: readonly string[]): Promise<Set<string>> {
  if (receiptIds.length === 0) return new Set();
  const answer = await ask(
    `SELECT DISTINCT redriven_from, receipt_index FROM events_all WHERE redriven_from IN (${list(receiptIds)})`,
    { ...ALL_SEGMENTS, mayHold: mayHoldRedriven },
  );
  return new Set(answer.rows.map(([receipt, index]) => `${textOf(receipt)}/${textOf(index)}`));
}

/** Find event ids of the lake (lower case), received since a time. */
export async function storedIds(ask: Ask, eventIds: readonly string[], sinceMs: number): Promise<Set<string>> {
  if (eventIds.length === 0) return new Set();
  const sorted = [...eventIds].sort();
  const answer = await ask(
    `SELECT DISTINCT lower(event_id) FROM events_all WHERE lower(event_id) IN (${list(sorted)})
       AND received_at >= make_timestamptz(${Math.floor(sinceMs) * 1000})`,
    { ...ALL_SEGMENTS, mayHold: (file) => filesThatMayHold(sorted, [idFile(file)]).length > 0 },
  );
  return new Set(answer.rows.map(([id]) => textOf(id)));
}

/** Test by statistics whether a file may hold redriven events. */
function mayHoldRedriven({ stats }: AddFile): boolean {
  const { numRecords, nullCount } = (stats === undefined ? {} : JSON.parse(stats)) as {
    numRecords?: number;
    nullCount?: Record<string, unknown>;
  };
  return numRecords === undefined || nullCount?.redriven_from !== numRecords;
}

function filterConditions({ code, eventId, receiptId }: RowFilter): string[] {
  return [
    ...(code === undefined ? [] : [`code = ${literal(code)}`]),
    ...(eventId === undefined ? [] : [`lower(event_id) = ${literal(eventId.toLowerCase())}`]),
    ...(receiptId === undefined ? [] : [`receipt_id = ${literal(receiptId)}`]),
  ];
}

function keyOf({ receivedAt, receiptId, index }: QuarantinedRow): string {
  return `TIMESTAMPTZ ${literal(receivedAt)}, ${literal(receiptId)}, ${index ?? -1}`;
}

function toRow(values: QueryAnswer['rows'][number]): QuarantinedRow {
  const text = (at: number): string | null => (values[at] === null ? null : textOf(values[at]));
  const number = (at: number): number | null => (values[at] === null ? null : Number(values[at]));
  return {
    receiptId: text(0) ?? '',
    index: number(1),
    segmentId: text(2) ?? '',
    receivedAt: text(3) ?? '',
    sentAt: text(4),
    code: text(5) ?? '',
    path: text(6) ?? '',
    message: text(7) ?? '',
    eventId: text(8),
    type: text(9),
    schemaVersion: number(10),
    keyId: text(11),
    keyKind: kindOf(text(12)),
    userAgent: text(13),
    raw: text(14) ?? '',
    fixed: text(15),
  };
}

function kindOf(text: string | null): KeyKind | null {
  return text === 'browser' || text === 'server' ? text : null;
}

function textOf(value: Json | undefined): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function list(texts: readonly string[]): string {
  return texts.map(literal).join(', ');
}

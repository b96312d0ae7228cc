import type { AddFile } from '../../lake/delta/actions.ts';
import { COLUMNS_TAG, columnsFingerprint } from '../../lake/delta/schema.ts';
import type { TableSpec } from '../../lake/delta/table.ts';
import type { SqlSession } from '../../lake/duckdb/sqlEngine.ts';
import { refuseUnknownColumns, relation } from '../../lake/maintenance/sort.ts';
import type { ErasedPlace } from '../../lake/flush/erased.ts';
import { identifier, literal } from '../../lake/duckdb/sqlText.ts';
import type { TableName } from '../../lake/layout/tables.ts';
import type { Rebuilt, RebuiltFile } from './rebuild.ts';

/** A partition's files in the lake and from the stream. */
export interface ReplayPartition {
  table: TableName;
  segment: string;
  date: string;
  live: readonly AddFile[];
  rebuilt: readonly RebuiltFile[];
  /** Omitted events of erased people, and those that no commit has counted. */
  erased: readonly ErasedPlace[];
  uncounted: readonly ErasedPlace[];
}

/** Rows and checksum of one side. The checksum does not depend on order. */
export interface Side {
  rows: number;
  checksum: string;
}

export interface PartitionComparison {
  table: TableName;
  segment: string;
  date: string;
  /** Fault of unreadable files of the lake. Their rows are those of the log, and nothing is compared. */
  unreadable?: string;
  lake: Side;
  stream: Side;
  /** Row counts: only in the lake, only in the stream, or different. */
  onlyInLake: number;
  onlyInStream: number;
  changed: number;
  /** Uncounted events of erased people, and their rows in the lake. */
  erased: number;
  erasedInLake: number;
}

/** Test whether a swap would change a partition. */
export function differs({ unreadable, onlyInLake, onlyInStream, changed, ...rest }: PartitionComparison): boolean {
  return unreadable !== undefined || onlyInLake + onlyInStream + changed + rest.erased + rest.erasedInLake > 0;
}

/** List the partitions of live and rebuilt files and omitted events, in order. */
export function replayPartitions(
  live: Record<TableName, readonly AddFile[]>,
  { files: rebuilt, erased, uncounted }: Rebuilt & { uncounted: readonly ErasedPlace[] },
): ReplayPartition[] {
  interface Growing extends ReplayPartition {
    live: AddFile[];
    rebuilt: RebuiltFile[];
    erased: ErasedPlace[];
    uncounted: ErasedPlace[];
  }
  const found = new Map<string, Growing>();
  const at = (table: TableName, segment: string, date: string) => {
    const key = `${table}/${segment}/${date}`;
    const known = found.get(key) ?? { table, segment, date, live: [], rebuilt: [], erased: [], uncounted: [] };
    found.set(key, known);
    return known;
  };
  for (const table of ['events', 'quarantine'] as const) {
    for (const file of live[table]) {
      const { segment, date } = file.partitionValues;
      at(table, segment ?? '', date ?? '').live.push(file);
    }
  }
  for (const file of rebuilt) at(file.table, file.source.segmentId, file.date).rebuilt.push(file);
  const placeOf = ({ table, source, date }: ErasedPlace) => at(table, source.segmentId, date);
  for (const place of erased) placeOf(place).erased.push(place);
  for (const place of uncounted) placeOf(place).uncounted.push(place);
  return [...found.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, partition]) => partition);
}

/**
 * Compare all columns of a partition's rows.
 * @param localFiles the live files on this machine; throws if one is unreadable
 * @throws UnknownColumnsError for columns of a newer version
 */
export async function comparePartition(
  session: SqlSession,
  partition: ReplayPartition,
  { spec, localFiles }: { spec: TableSpec; localFiles: (files: readonly AddFile[]) => Promise<string[]> },
): Promise<PartitionComparison> {
  const { table, segment, date, live, rebuilt, erased, uncounted } = partition;
  const { columns } = spec;
  const inputs = (files: readonly string[]) => files.map((localFile) => ({ localFile }));
  const columnsTag = columnsFingerprint(columns);
  const uniform = live.every(({ tags }) => tags?.[COLUMNS_TAG] === columnsTag);
  const hashed = `hash(${columns.map(({ name }) => identifier(name)).join(', ')})`;
  const side = (name: string, files: readonly string[], same: boolean): string[] =>
    files.length === 0
      ? []
      : [
          `SELECT ${literal(name)} AS side, receipt_id, receipt_index, ${hashed} AS h
           FROM (${relation({ columns, uniform: same }, inputs(files))})`,
        ];
  try {
    const local = await localFiles(live);
    if (local.length > 0 && !uniform) await refuseUnknownColumns(session, { inputs: inputs(local), columns });
    const sides = [
      ...side('lake', local, uniform),
      ...side(
        'stream',
        rebuilt.map(({ localFile }) => localFile),
        true,
      ),
    ];
    const [row = {}] = await session.run(compareSql(sides.join(' UNION ALL '), erased));
    return {
      table,
      segment,
      date,
      lake: { rows: Number(row.lake), checksum: String(row.lake_sum) },
      stream: { rows: Number(row.stream), checksum: String(row.stream_sum) },
      onlyInLake: Number(row.only_lake),
      onlyInStream: Number(row.only_stream),
      changed: Number(row.changed),
      erased: countOf(uncounted),
      erasedInLake: Number(row.erased),
    };
  } catch (error) {
    if (!isUnreadable(error)) throw error;
    return unreadablePartition(partition, (error as Error).message);
  }
}

function compareSql(rows: string, erased: readonly ErasedPlace[]): string {
  const isErased = `(receipt_id, coalesce(receipt_index, 0)) IN (${placesSql(erased)})`;
  return `WITH kinds AS (
      SELECT receipt_id, receipt_index, h, count(*) FILTER (side = 'lake') AS l, count(*) FILTER (side = 'stream') AS s
      FROM (${rows}) GROUP BY ALL
    ), places AS (
      SELECT ${isErased} AS erased, sum(greatest(l - s, 0)) AS more_l, sum(greatest(s - l, 0)) AS more_s, sum(l) AS l, sum(s) AS s,
        sum(l * h::HUGEINT) AS l_sum, sum(s * h::HUGEINT) AS s_sum
      FROM kinds GROUP BY receipt_id, receipt_index
    )
    SELECT coalesce(sum(l), 0)::BIGINT AS lake, coalesce(sum(s), 0)::BIGINT AS stream,
      coalesce(sum(l_sum), 0)::VARCHAR AS lake_sum, coalesce(sum(s_sum), 0)::VARCHAR AS stream_sum,
      coalesce(sum(more_l - least(more_l, more_s)) FILTER (NOT erased), 0)::BIGINT AS only_lake,
      coalesce(sum(more_l - least(more_l, more_s)) FILTER (erased), 0)::BIGINT AS erased,
      coalesce(sum(more_s - least(more_l, more_s)), 0)::BIGINT AS only_stream,
      coalesce(sum(least(more_l, more_s)), 0)::BIGINT AS changed
    FROM places`;
}

function placesSql(places: readonly ErasedPlace[]): string {
  const rows = places.flatMap(({ receiptId, positions }) => positions.map((at) => `(${literal(receiptId)}, ${at})`));
  if (rows.length === 0) return `SELECT ('', 0) WHERE false`;
  return `SELECT (r, i) FROM (VALUES ${rows.join(', ')}) erased(r, i)`;
}

function countOf(places: readonly ErasedPlace[]): number {
  return places.reduce((sum, { positions }) => sum + positions.length, 0);
}

/** Test for the error of a missing, cut or overwritten file. */
function isUnreadable(error: unknown): boolean {
  const message = error instanceof Error ? error.message : '';
  return /^(IO|Invalid Input|Serialization) Error|TProtocolException/.test(message);
}

function unreadablePartition(
  { table, segment, date, live, rebuilt, uncounted }: ReplayPartition,
  unreadable: string,
): PartitionComparison {
  const inLake = live.reduce((sum, { stats }) => sum + recordsOf(stats), 0);
  const inStream = rebuilt.reduce((sum, { rows }) => sum + rows, 0);
  const erased = countOf(uncounted);
  return {
    table,
    segment,
    date,
    unreadable,
    lake: { rows: inLake, checksum: '' },
    stream: { rows: inStream, checksum: '' },
    onlyInLake: Math.max(0, inLake - inStream - erased),
    onlyInStream: Math.max(0, inStream - inLake),
    changed: 0,
    erased,
    erasedInLake: 0,
  };
}

function recordsOf(stats: string | undefined): number {
  return stats === undefined ? 0 : Number((JSON.parse(stats) as { numRecords?: number }).numRecords ?? 0);
}

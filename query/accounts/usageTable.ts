import { isId } from '../../schemas/subjects.ts';
import { readCommitCounts, readCountsBetween } from '../../lake/counts/commits.ts';
import type { CommitCounts } from '../../lake/counts/commitCounts.ts';
import type { TableColumn } from '../../lake/delta/schema.ts';
import type { Snapshot } from '../../lake/delta/snapshot.ts';
import { deltaTable, type Table, type TableSpec } from '../../lake/delta/table.ts';
import { TxnConflictError } from '../../lake/delta/txnConflict.ts';
import { openDuckdb } from '../../lake/duckdb/duckdb.ts';
import { LakeError } from '../../lake/errors.ts';
import type { LocalFiles } from '../../lake/files/localFiles.ts';
import type { TableCache } from '../../lake/layout/tableCache.ts';
import { TABLE_NAMES, tableRoot, type TableName } from '../../lake/layout/tables.ts';
import type { Storage } from '../../lake/storage/storage.ts';
import { overwriteSmallTable, readSmallTable } from './smallTable.ts';
import { UsageRows, type QueryUse, type UsageCounts, type UsageRow } from './usage.ts';

/** Columns of the usage table. Their ids in files are for ever. */
export const USAGE_COLUMNS = [
  { name: 'month', type: 'string', description: 'UTC month, such as 2026-11.' },
  { name: 'segment_id', type: 'string', description: 'The segment; empty: of no single segment.' },
  { name: 'accepted', type: 'long', description: 'Events that receivers accepted, by day of receipt; resends count.' },
  { name: 'rejected', type: 'long', description: 'Events that receivers rejected.' },
  { name: 'bytes_received', type: 'long', description: 'Bytes of request bodies as they came.' },
  { name: 'queries', type: 'long', description: 'Statements and reports that query servers ran.' },
  { name: 'query_cpu_seconds', type: 'double', description: 'Processor time of the answered queries.' },
  { name: 'query_rows', type: 'long', description: 'Rows of the answers.' },
  { name: 'query_seconds', type: 'double', description: 'Time that the queries ran.' },
  { name: 'storage_bytes', type: 'long', description: 'Bytes of the current files, as last seen in the month.' },
  { name: 'events_counted', type: 'string', description: 'Id of the events table and the counted version.' },
  { name: 'quarantine_counted', type: 'string', description: 'Id of the quarantine and the counted version.' },
] as const satisfies TableColumn[];

const COLUMN_OF: Record<keyof UsageCounts, string> = {
  accepted: 'accepted',
  rejected: 'rejected',
  bytesReceived: 'bytes_received',
  queries: 'queries',
  queryCpuSeconds: 'query_cpu_seconds',
  queryRows: 'query_rows',
  querySeconds: 'query_seconds',
  storageBytes: 'storage_bytes',
};
const COUNTS = Object.entries(COLUMN_OF) as [keyof UsageCounts, string][];
const MOST_TRIES = 5;
const MEMORY = '128MiB';

/** A tenant's table of usage, apart from its events: it outlives their retention. @throws LakeError storage_path_invalid */
export function usageSpec(tenantId: string): TableSpec {
  if (!isId(tenantId))
    throw new LakeError('storage_path_invalid', `tenant id ${JSON.stringify(tenantId)} is not allowed`);
  return { root: `usage/tenant=${tenantId}`, columns: USAGE_COLUMNS, partitionColumns: [] };
}

/** Usage of tenants in the lake. */
export interface UsageTables {
  /**
   * Usage up to the present, by month and segment.
   * @throws LakeError storage_unavailable, table_corrupt
   */
  read(tenantId: string): Promise<UsageRow[]>;
  /**
   * Counts what is new, adds uses of queries by month, and commits the table.
   * @throws LakeError storage_unavailable, table_corrupt: the uses may not be in the table
   */
  update(tenantId: string, uses?: ReadonlyMap<string, QueryUse>): Promise<void>;
  close(): Promise<void>;
}

/** Id of each table and the version up to which rows count it, such as `5f1c…@41`. */
type Positions = Record<TableName, string>;

interface Counted {
  table: Table;
  before: Snapshot;
  positions: Positions;
  changed: boolean;
  rows: UsageRows;
}

/** Creates usage of the lake's tenants. The first call starts DuckDB in this process. */
export function createUsageTables(lake: {
  storage: Storage;
  tables: TableCache;
  localFiles: LocalFiles;
  /** Milliseconds since 1970; absent: this host's clock. */
  now?: () => number;
}): UsageTables {
  const { storage, tables, localFiles, now = Date.now } = lake;
  const opened = new Map<string, Table>();
  const engine = openDuckdb({ memory: MEMORY, threads: 1, spillDir: '' });

  const storedRows = async (table: Table, before: Snapshot): Promise<{ rows: UsageRow[]; positions: Positions }> => {
    const found = await readSmallTable({ localFiles, engine }, table, before);
    return { rows: found.map(usageRow), positions: positionsOf(found[0]) };
  };

  const count = async (tenantId: string): Promise<Counted> => {
    const table = opened.get(tenantId) ?? deltaTable(storage, usageSpec(tenantId));
    opened.set(tenantId, table);
    const [events, quarantine, before] = await Promise.all([
      tables('events', tenantId).snapshot(),
      tables('quarantine', tenantId).snapshot(),
      table.snapshot(),
    ]);
    const stored = await storedRows(table, before);
    const positions = { events: positionOf(events), quarantine: positionOf(quarantine) };
    const month = monthOf(now());
    const begun = events.version < 0 || stored.rows.some((row) => row.month === month);
    const changed = !begun || TABLE_NAMES.some((name) => positions[name] !== stored.positions[name]);
    const commits = await commitsSince(storage, tenantId, { known: stored.positions, now: positions });
    const rows = new UsageRows(commits.whole ? stored.rows.map(withoutEvents) : stored.rows);
    rows.addCommits(commits.events, commits.quarantine);
    rows.setStorage(month, bytesBySegment([events, quarantine]));
    return { table, before, positions, changed, rows };
  };

  const commit = ({ table, before, positions, rows }: Counted): Promise<void> =>
    overwriteSmallTable(
      { storage, engine },
      { table, before, name: 'usage' },
      rows
        .list()
        .map((row) => [
          row.month,
          row.segment,
          ...COUNTS.map(([name]) => row[name]),
          positions.events,
          positions.quarantine,
        ]),
    );

  return {
    read: async (tenantId) => (await count(tenantId)).rows.list(),
    update: async (tenantId, uses = new Map()) => {
      for (let tries = 1; ; tries++) {
        const counted = await count(tenantId);
        for (const [month, use] of uses) counted.rows.add(month, '', use);
        if (!counted.changed && uses.size === 0) return;
        try {
          return await commit(counted);
        } catch (error) {
          // Another query server came first: what it counted is read again.
          if (!(error instanceof TxnConflictError) || tries === MOST_TRIES) throw error;
        }
      }
    },
    close: () => engine.close(),
  };
}

/** What both tables counted since the known positions; `whole`: from their start. */
async function commitsSince(
  storage: Storage,
  tenantId: string,
  { known, now }: { known: Positions; now: Positions },
): Promise<Record<TableName, CommitCounts[]> & { whole: boolean }> {
  const upTo = (name: TableName): number => versionOf(now[name]);
  const newer = async (name: TableName): Promise<CommitCounts[] | undefined> => {
    const isNew = versionOf(known[name]) < 0;
    // A table that was made anew is counted from its start.
    if (!isNew && idOf(known[name]) !== idOf(now[name])) return undefined;
    return readCountsBetween(storage, tableRoot(name, tenantId), { after: versionOf(known[name]), upTo: upTo(name) });
  };
  const [events, quarantine] = await Promise.all(TABLE_NAMES.map(newer));
  if (events && quarantine) return { events, quarantine, whole: false };
  const all = async (name: TableName): Promise<CommitCounts[]> =>
    (await readCommitCounts(storage, tableRoot(name, tenantId))).filter(({ version }) => version <= upTo(name));
  return { events: await all('events'), quarantine: await all('quarantine'), whole: true };
}

function positionOf({ metaData, version }: Snapshot): string {
  return `${metaData?.id ?? ''}@${version}`;
}

function idOf(position: string): string {
  return position.slice(0, position.lastIndexOf('@'));
}

/** Version of a position; -1: nothing is counted. */
function versionOf(position: string): number {
  return position === '' ? -1 : Number(position.slice(position.lastIndexOf('@') + 1));
}

function withoutEvents(row: UsageRow): UsageRow {
  return { ...row, accepted: 0, rejected: 0, bytesReceived: 0 };
}

function bytesBySegment(snapshots: readonly Snapshot[]): Map<string, number> {
  const bytes = new Map<string, number>();
  for (const { files } of snapshots)
    for (const { size, partitionValues } of files.values()) {
      const segment = partitionValues.segment ?? '';
      bytes.set(segment, (bytes.get(segment) ?? 0) + size);
    }
  return bytes;
}

function usageRow(row: Record<string, unknown>): UsageRow {
  const counts = Object.fromEntries(COUNTS.map(([name, column]) => [name, Number(row[column] ?? 0)]));
  return { month: String(row.month), segment: String(row.segment_id), ...(counts as unknown as UsageCounts) };
}

function positionsOf(row: Record<string, unknown> | undefined): Positions {
  return { events: text(row?.events_counted), quarantine: text(row?.quarantine_counted) };
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** The UTC month of a time in milliseconds since 1970, such as `2026-11`. */
export function monthOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 7);
}

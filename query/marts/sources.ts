import { duckdbType } from '../../schemas/columnType.ts';
import type { AddFile } from '../../lake/delta/actions.ts';
import type { Snapshot } from '../../lake/delta/snapshot.ts';
import type { Table } from '../../lake/delta/table.ts';
import { insightMacros } from '../insight/views.ts';
import type { LocalFiles } from '../../lake/files/localFiles.ts';
import { filesInScope } from '../../lake/files/prune.ts';
import { fileGroups } from '../engine/sources.ts';
import type { ViewCatalog } from '../engine/views.ts';
import type { SqlEngine } from '../../lake/duckdb/sqlEngine.ts';
import { identifier, literal } from '../../lake/duckdb/sqlText.ts';
import { withSession } from '../../lake/duckdb/withSession.ts';
import { sharesIds } from '../../lake/layout/sharedIds.ts';
import { addDays } from './dirtyDays.ts';
import { ORDER_DAYS, type Mart } from './mart.ts';

/** One version of a tenant's events. */
export interface EventSource {
  root: string;
  snapshot: Snapshot;
  localFiles: LocalFiles;
  catalog: ViewCatalog;
  engine: SqlEngine;
}

/** Runs a task with the statements that a day's mart needs. */
export async function readDay<T>(
  source: EventSource,
  mart: Mart,
  day: string,
  use: (from: string[], sql: string) => Promise<T>,
): Promise<T> {
  const reach = mart.readsOrders ? Math.max(ORDER_DAYS, mart.around) : mart.around;
  const files = filesBetween(source, addDays(day, -reach), addDays(day, reach));
  const values = {
    first: day,
    last: day,
    scan_from: addDays(day, -mart.around),
    scan_to: addDays(day, mart.around),
  };
  const sql = Object.entries(values).reduce(
    (text, [name, value]) => text.replaceAll(`$${name}`, `DATE ${literal(value)}`),
    mart.sql,
  );
  return leased(source, files, (from) => use(from, sql));
}

/** Other days with events of the same orders. */
export async function ordersSentAgain(source: EventSource, days: ReadonlySet<string>): Promise<Set<string>> {
  if (days.size === 0) return new Set();
  const sorted = [...days].sort();
  const files = filesBetween(source, addDays(sorted[0]!, -ORDER_DAYS), addDays(sorted.at(-1)!, ORDER_DAYS));
  const types = `type IN ('OrderCreated', 'OrderCorrected', 'OrderCancelled', 'OrderRefunded')`;
  const sql = `SELECT DISTINCT date::VARCHAR AS day FROM events_all
    WHERE ${types} AND order_id IN (
      SELECT order_id FROM events_all
      WHERE ${types} AND date IN (${sorted.map((day) => `DATE ${literal(day)}`).join(', ')}))`;
  return leased(source, files, (from) =>
    withSession(source.engine, async (session) => {
      for (const statement of from) await session.run(statement.replace(/^CREATE /, 'CREATE OR REPLACE TEMP '));
      return new Set((await session.run(sql)).map(({ day }) => String(day)));
    }),
  );
}

/** Runs a task with the statements that create other marts as relations. */
export async function readMarts<T>(
  localFiles: LocalFiles,
  marts: readonly { name: string; table: Table; snapshot: Snapshot }[],
  use: (from: string[]) => Promise<T>,
): Promise<T> {
  const leases: { release(): Promise<void> }[] = [];
  try {
    const from: string[] = [];
    for (const { name, table, snapshot } of marts) {
      const lease = await localFiles.lease(table.spec.root, [...snapshot.files.values()]);
      leases.push(lease);
      from.push(martView(identifier(name), table, [...lease.paths.values()]));
    }
    return await use(from);
  } finally {
    for (const lease of leases) await lease.release();
  }
}

/** Statement that creates a mart as a view; `name` is quoted already. */
export function martView(name: string, { spec }: Table, paths: readonly string[]): string {
  const columns = [...spec.columns, ...spec.partitionColumns.map((of) => ({ name: of, type: 'date' as const }))];
  const empty = columns.map((of) => `NULL::${duckdbType(of.type)} AS ${identifier(of.name)}`).join(', ');
  const names = columns.map((of) => identifier(of.name)).join(', ');
  const dated = spec.partitionColumns.length > 0 ? `hive_types = {'date': 'DATE'}, ` : '';
  const options = `hive_partitioning = ${dated !== ''}, ${dated}union_by_name = true`;
  const nothing = `SELECT ${empty} WHERE false`;
  // The union also avoids a failure of DuckDB 1.5: max(date) over a single relation with date as its partition column.
  const rows = `${nothing} UNION ALL SELECT ${names} FROM read_parquet([${paths.map(literal).join(', ')}], ${options})`;
  return `CREATE VIEW ${name} AS ${paths.length === 0 ? nothing : rows}`;
}

function filesBetween({ snapshot }: EventSource, from: string, to: string): AddFile[] {
  return filesInScope(snapshot, { segmentIds: [], from, to });
}

async function leased<T>(
  { root, snapshot, localFiles, catalog }: EventSource,
  files: readonly AddFile[],
  use: (from: string[]) => Promise<T>,
): Promise<T> {
  const lease = await localFiles.lease(root, files);
  try {
    const functions = new Set(insightMacros().map(({ name }) => name));
    const needed = catalog.requiredTables({ tables: new Set(['events_all']), functions, catalog: false });
    return await use(
      needed.statements({
        events: { groups: fileGroups(files, lease.paths), sharedIds: sharesIds(snapshot) },
        quarantine: { groups: [] },
      }),
    );
  } finally {
    await lease.release();
  }
}

import { join } from 'node:path';
import { deltaTable } from '../../lake/delta/table.ts';
import { openDuckdb } from '../../lake/duckdb/duckdb.ts';
import { listTenants } from '../../lake/layout/tenants.ts';
import { literal } from '../../lake/duckdb/sqlText.ts';
import { openLocalStorage } from '../../lake/storage/local.ts';
import { tableSpec } from '../../lake/layout/tables.ts';
import { createRegistry } from '../../schemas/registry.ts';

/** Counts of the events tables of a lake in a folder. */
export interface LakeContents {
  rows: number;
  /** Distinct event ids; 0 unless they are counted. */
  ids: number;
  /** Bytes of the data files. */
  bytes: number;
  files: number;
}

/**
 * Counts the rows of all tenants' live files, by their logs.
 *
 * A bare glob would count compacted rows twice, because replaced files stay for a while.
 */
export async function lakeContents(lake: string, count = { ids: true }): Promise<LakeContents> {
  const files = await liveFiles(lake);
  const bytes = files.reduce((sum, { size }) => sum + size, 0);
  if (files.length === 0) return { rows: 0, ids: 0, bytes, files: 0 };
  const engine = openDuckdb({ memory: '4GiB', threads: 2, spillDir: join(lake, '.count') });
  try {
    const paths = files.map(({ path }) => literal(path)).join(', ');
    const [row] = await engine
      .session()
      .run(
        `SELECT count(*) AS rows, ${count.ids ? 'count(DISTINCT event_id)' : 'NULL'} AS ids FROM read_parquet([${paths}])`,
      );
    return { rows: Number(row?.rows), ids: Number(row?.ids), bytes, files: files.length };
  } finally {
    await engine.close();
  }
}

async function liveFiles(lake: string): Promise<{ path: string; size: number }[]> {
  const registry = createRegistry();
  const storage = await openLocalStorage(lake);
  try {
    const tenants = await listTenants(storage);
    const tables = tenants.map((tenantId) => deltaTable(storage, tableSpec('events', tenantId, registry)));
    const snapshots = await Promise.all(tables.map(async (table) => ({ table, live: await table.snapshot() })));
    return snapshots.flatMap(({ table, live }) =>
      [...live.files.values()].map(({ path, size }) => ({ path: join(lake, table.spec.root, path), size })),
    );
  } finally {
    storage.close();
  }
}

import { mkdir, readdir, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { literal } from '../../lake/duckdb/sqlText.ts';
import { deltaTable } from '../../lake/delta/table.ts';
import { vacuum } from '../../lake/maintenance/vacuum.ts';
import type { Storage } from '../../lake/storage/storage.ts';
import { TABLE_NAMES, tableRoot, tableSpec, type TableName } from '../../lake/layout/tables.ts';
import type { Registry } from '../../schemas/registry.ts';
import { dataGlob } from '../demo/dataGlob.ts';
import type { LakeIds } from '../demo/verify.ts';
import type { QueryClient } from '../queryClient.ts';
import { CLOCK_JUMP_MS } from './fault.ts';

/** One tenant's tables, as one reader sees them. */
export interface TenantRows {
  events: LakeIds;
  quarantine: LakeIds;
  /** Event ids in rows of another tenant than their folder's. */
  strangers: string[];
}

export interface LakeReader {
  name: string;
  read: (tenantId: string) => Promise<TenantRows>;
}

const PAGE = 5_000;

/** A reader through the query server and its snapshot. */
export function snapshotReader(client: QueryClient, tokenOf: (tenantId: string) => string): LakeReader {
  return {
    name: 'the query server',
    async read(tenantId) {
      const strangers: string[] = [];
      const ids = async (table: TableName): Promise<LakeIds> => {
        const found = new Map<string, number>();
        for (let after = ''; ;) {
          const { rows } = await client.ask(
            tokenOf(tenantId),
            `select event_id, count(*), count(*) filter (tenant_id != ${literal(tenantId)}) from ${table}_all
             where event_id > ${literal(after)} group by 1 order by 1 limit ${PAGE}`,
          );
          for (const [id, count, strange] of rows) {
            found.set(String(id), Number(count));
            if (Number(strange) > 0) strangers.push(String(id));
          }
          if (rows.length < PAGE) return found;
          after = String(rows.at(-1)![0]);
        }
      };
      return { events: await ids('events'), quarantine: await ids('quarantine'), strangers };
    },
  };
}

/**
 * A reader with a bare `read_parquet` over the folders, without any log.
 *
 * A lake in S3 is copied first, because DuckDB's S3 extension is a download.
 */
export function globReader(options: { lakeUrl: string; storage: Storage; copyTo: string }): LakeReader {
  const local = options.lakeUrl.startsWith('file:');
  const folder = local ? resolve(options.lakeUrl.slice('file:'.length)) : options.copyTo;
  return {
    name: 'a bare read_parquet',
    async read(tenantId) {
      if (!local) await mirror(options.storage, tenantId, folder);
      const instance = await DuckDBInstance.create(':memory:', { threads: '1' });
      const connection = await instance.connect();
      const strangers: string[] = [];
      const rowsOf = async (sql: string): Promise<unknown[][]> => (await connection.runAndReadAll(sql)).getRows();
      const ids = async (table: TableName): Promise<LakeIds> => {
        const glob = literal(dataGlob(folder, table, tenantId));
        const [files] = await rowsOf(`select count(*) from glob(${glob})`);
        if (Number(files![0]) === 0) return new Map();
        const rows = await rowsOf(
          `select event_id, count(*)::integer, (count(*) filter (tenant_id != ${literal(tenantId)}))::integer
           from read_parquet(${glob}, hive_partitioning = true) where event_id is not null group by 1`,
        );
        for (const [id, , strange] of rows) if (Number(strange) > 0) strangers.push(String(id));
        return new Map(rows.map(([id, count]) => [String(id), Number(count)]));
      };
      try {
        return { events: await ids('events'), quarantine: await ids('quarantine'), strangers };
      } finally {
        connection.closeSync();
        instance.closeSync();
      }
    },
  };
}

/**
 * Files that compactions leave in the folders for vacuum.
 *
 * They are replaced files, and files that were never committed. `by any clock` includes files that a clock ahead
 * replaced in the future. Nothing may write to the table afterwards.
 */
export type LeftOvers = 'nothing' | 'replaced' | 'replaced and orphans' | 'all, by any clock';

/**
 * Deletes leftovers of compactions, so that a bare glob counts right.
 *
 * Nothing may write or read, because the grace time is zero. An orphan of a flush stays, for the glob to find.
 */
export async function vacuumTenant(
  storage: Storage,
  registry: Registry,
  { tenantId, leftOvers }: { tenantId: string; leftOvers: LeftOvers },
): Promise<void> {
  if (leftOvers === 'nothing') return;
  const aheadMs = leftOvers === 'all, by any clock' ? CLOCK_JUMP_MS.years.most : 1;
  const present = async (): Promise<number> => (await storage.now()) + aheadMs;
  const options = { graceMs: 0, force: true, present };
  for (const name of TABLE_NAMES) {
    const table = deltaTable(storage, tableSpec(name, tenantId, registry));
    const { doomed } = await vacuum(storage, table, { ...options, dryRun: true });
    const strange = leftOvers === 'replaced' && doomed.some(({ why }) => why === 'orphan');
    if (doomed.length > 0 && !strange) await vacuum(storage, table, options);
  }
}

/** Copies exactly a tenant's data files to a folder; existing copies stay, because objects never change. */
async function mirror(storage: Storage, tenantId: string, folder: string): Promise<void> {
  for (const name of TABLE_NAMES) {
    const root = tableRoot(name, tenantId);
    const wanted = new Set<string>();
    for await (const { path } of storage.list(`${root}/segment=`)) wanted.add(path);
    const present = await filesBelow(folder, root);
    for (const path of present) if (!wanted.has(path)) await rm(join(folder, path));
    for (const path of wanted) {
      if (present.has(path)) continue;
      await mkdir(dirname(join(folder, path)), { recursive: true });
      await storage.download(path, join(folder, path));
    }
  }
}

async function filesBelow(folder: string, root: string): Promise<Set<string>> {
  await mkdir(join(folder, root), { recursive: true });
  const entries = await readdir(join(folder, root), { recursive: true, withFileTypes: true });
  return new Set(
    entries
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(resolve(folder).length + 1)),
  );
}

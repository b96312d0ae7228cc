import { duckdbType } from '../../schemas/columnType.ts';
import { deltaTable, type Table } from '../../lake/delta/table.ts';
import { identifier, literal } from '../../lake/duckdb/sqlText.ts';
import type { LocalFiles } from '../../lake/files/localFiles.ts';
import { filesInScope } from '../../lake/files/prune.ts';
import { CATALOGUE_COLUMNS, catalogueSpec } from '../../lake/layout/catalogue.ts';
import type { Storage } from '../../lake/storage/storage.ts';

/** Local files with the catalogue of a reader's segments, held until released. */
export interface HeldCatalogue {
  paths: readonly string[];
  /** What the rows depend on: files that never change. */
  identity: readonly string[];
  release(): Promise<void>;
}

/** Catalogues whose logs stay in memory. */
const MOST_TABLES = 256;

/** Opens the newest catalogue of a tenant, for a reader of these segments (none: all). */
export type OpenCatalogue = (tenantId: string, segmentIds: readonly string[]) => Promise<HeldCatalogue>;

/** Creates the opener, which reads the log of each catalogue once. */
export function createCatalogues(storage: Storage, localFiles: LocalFiles): OpenCatalogue {
  const open = new Map<string, Table>();
  return async (tenantId, segmentIds) => {
    const table = open.get(tenantId) ?? deltaTable(storage, catalogueSpec(tenantId));
    // A Map keeps the order of insertion, so its first entry is the least recently used.
    open.delete(tenantId);
    open.set(tenantId, table);
    if (open.size > MOST_TABLES) open.delete(open.keys().next().value!);
    const files = filesInScope(await table.snapshot(), { segmentIds });
    const lease = await localFiles.lease(table.spec.root, files);
    return {
      paths: [...lease.paths.values()],
      identity: files.map(({ path }) => path),
      release: () => lease.release(),
    };
  };
}

/** All versions of products in files, as a SELECT. */
export function catalogueRows(paths: readonly string[]): string {
  const columns = [...CATALOGUE_COLUMNS, { name: 'segment', type: 'string' as const }];
  const names = columns.map(({ name }) => identifier(name)).join(', ');
  const empty = columns.map(({ name, type }) => `NULL::${duckdbType(type)} AS ${identifier(name)}`).join(', ');
  const nothing = `SELECT ${empty} WHERE false`;
  if (paths.length === 0) return nothing;
  const options = `hive_partitioning = true, hive_types = {'segment': 'VARCHAR'}, union_by_name = true`;
  return `${nothing} UNION ALL SELECT ${names} FROM read_parquet([${paths.map(literal).join(', ')}], ${options})`;
}

import { deltaTable, type Table } from '../delta/table.ts';
import type { Storage } from '../storage/storage.ts';

/**
 * The derived tables of a tenant, `marts/tenant=<t>/<name>`, opened with their own columns.
 *
 * Callers only remove or replace their files.
 */
export async function listDerivedTables(storage: Storage, tenantId: string): Promise<Table[]> {
  const prefix = `marts/tenant=${tenantId}/`;
  const tables: Table[] = [];
  for (let after: string | undefined; ;) {
    const first = await storage.list(prefix, after)[Symbol.asyncIterator]().next();
    if (first.done) return tables;
    const name = first.value.path.slice(prefix.length).split('/')[0]!;
    tables.push(deltaTable(storage, { root: `${prefix}${name}`, columns: [], partitionColumns: [] }));
    after = `${prefix}${name}/\u007f`;
  }
}

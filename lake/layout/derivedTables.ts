import { openTable, type Table } from '../delta/table.ts';
import type { Storage } from '../storage/storage.ts';

/**
 * The derived tables of a tenant, `marts/tenant=<t>/<name>`, whatever their columns: they are opened for what they are, to take
 * files away or put others in their place.
 */
export async function listDerivedTables(storage: Storage, tenantId: string): Promise<Table[]> {
  const prefix = `marts/tenant=${tenantId}/`;
  const tables: Table[] = [];
  for (let after: string | undefined; ;) {
    const first = await storage.list(prefix, after)[Symbol.asyncIterator]().next();
    if (first.done) return tables;
    const name = first.value.path.slice(prefix.length).split('/')[0]!;
    tables.push(openTable(storage, { root: `${prefix}${name}`, columns: [], partitionColumns: [] }));
    after = `${prefix}${name}/\u007f`;
  }
}

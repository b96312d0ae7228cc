import type { Storage } from '../storage/storage.ts';
import { TABLE_NAMES } from './tables.ts';
import { isId } from '../../schemas/subjects.ts';

/** The tenants that have a table, in order. */
export async function listTenants(storage: Storage): Promise<string[]> {
  const tenants = new Set<string>();
  for (const name of TABLE_NAMES) {
    for await (const tenant of storage.folders(`${name}/tenant=`)) if (isId(tenant)) tenants.add(tenant);
  }
  return [...tenants].sort();
}

/** Whether a tenant has a table. */
export async function hasTable(storage: Storage, tenantId: string): Promise<boolean> {
  for (const name of TABLE_NAMES) {
    const first = await storage.list(`${name}/tenant=${tenantId}/`)[Symbol.asyncIterator]().next();
    if (!first.done) return true;
  }
  return false;
}

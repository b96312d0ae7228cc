import type { Storage } from '../storage/storage.ts';
import { TABLE_NAMES } from './tables.ts';
import { isId } from '../../schemas/subjects.ts';

/** The tenants that have a table, in order; one listing request each. */
export async function listTenants(storage: Storage): Promise<string[]> {
  const tenants = new Set<string>();
  for (const name of TABLE_NAMES) {
    for await (const tenant of foldersOf(storage, `${name}/tenant=`)) if (isId(tenant)) tenants.add(tenant);
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

/** The first folders below a prefix; each request continues after the last folder. */
async function* foldersOf(storage: Storage, prefix: string): AsyncGenerator<string> {
  let after: string | undefined;
  for (;;) {
    const first = await storage.list(prefix, after)[Symbol.asyncIterator]().next();
    if (first.done) return;
    const rest = first.value.path.slice(prefix.length);
    const folder = rest.slice(0, rest.indexOf('/'));
    yield folder;
    after = `${prefix}${folder}/\u007f`;
  }
}

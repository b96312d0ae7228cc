import type { Snapshot } from '../lake/delta/snapshot.ts';
import { createTableCache } from '../lake/layout/tableCache.ts';
import { listTenants } from '../lake/layout/tenants.ts';
import { createRegistry } from '../schemas/registry.ts';
import type { Context } from './command.ts';
import { requiredId } from './secrets.ts';
import { withStorage } from './storage.ts';
import { requireTenants } from './tenant.ts';

/**
 * Settings that the events table of a tenant keeps, or of every tenant.
 * @param tenant the value of `--tenant`
 * @throws UsageError if it is no id; Error if there is no such tenant
 */
export async function tenantSettings<T extends object>(
  context: Context,
  tenant: string | undefined,
  read: (events: Snapshot) => T,
): Promise<({ tenantId: string } & T)[]> {
  const wanted = tenant === undefined ? undefined : [requiredId('--tenant', tenant)];
  await requireTenants(context, wanted ?? []);
  return withStorage(context, async (storage) => {
    const tables = createTableCache(storage, createRegistry());
    const rows: ({ tenantId: string } & T)[] = [];
    for (const tenantId of wanted ?? (await listTenants(storage)))
      rows.push({ tenantId, ...read(await tables('events', tenantId).snapshot()) });
    return rows;
  });
}

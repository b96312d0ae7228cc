import type { KeyRecord, TokenRecord } from '../../schemas/keys.ts';
import { hasTable } from '../../lake/layout/tenants.ts';
import type { Storage } from '../../lake/storage/storage.ts';
import type { Secrets } from './secrets.ts';

/**
 * True if a tenant has a key, a token or a table.
 *
 * A tenant that has sent nothing yet is known by its key.
 * @throws LakeError storage_unavailable
 */
export async function isKnownTenant(
  tenantId: string,
  { keys, tokens, storage }: { keys?: Secrets<KeyRecord>; tokens?: Secrets<TokenRecord>; storage: Storage },
): Promise<boolean> {
  const nowMs = Date.now();
  if (keys?.list(nowMs).some((key) => key.tenantId === tenantId)) return true;
  if (tokens?.list(nowMs).some((token) => token.tenantId === tenantId)) return true;
  return hasTable(storage, tenantId);
}

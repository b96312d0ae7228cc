import { isId } from '../../../schemas/subjects.ts';
import type { UsageTables } from '../../accounts/usageTable.ts';
import type { UsageRow } from '../../accounts/usage.ts';
import { LakeError } from '../../../lake/errors.ts';
import type { Slots } from '../../engine/slots.ts';
import { LAKE_ERRORS } from '../../../schemas/queryErrors.ts';
import { readersOf, type Identity, type TenantReader } from '../authorize.ts';
import { GET_USAGE } from '../contract/accountOperations.ts';
import { jsonReply, type Route, type TokenCall } from '../route.ts';

/**
 * `GET /api/usage`: what tenants used, by month and segment.
 * @param sources.lookups slots of short reads
 */
export function usageRoute(sources: { usage: UsageTables; lookups: Slots; tenants: () => Promise<string[]> }): Route {
  const { usage, lookups, tenants } = sources;
  const readable = async (
    identity: Identity,
    tenant: string | null,
  ): Promise<Pick<TenantReader, 'tenantId' | 'segmentIds'>[]> => {
    const readers = readersOf(identity, GET_USAGE);
    if (!readers)
      return (tenant === null ? await tenants() : [tenant]).map((tenantId) => ({ tenantId, segmentIds: [] }));
    const chosen = readers.filter(({ tenantId }) => tenant === null || tenantId === tenant);
    if (chosen.length > 0) return chosen;
    throw new LakeError('tenant_forbidden', LAKE_ERRORS.tenant_forbidden.help);
  };
  return {
    ...GET_USAGE,
    async handle({ query, identity, signal }: TokenCall) {
      const tenant = query.get('tenant');
      if (tenant !== null && !isId(tenant)) throw new LakeError('tenant_missing', `There is no tenant "${tenant}".`);
      const [from, to] = [monthOrNone(query, 'from') ?? '', monthOrNone(query, 'to') ?? '9999-12'];
      const rows: (UsageRow & { tenantId: string })[] = [];
      for (const { tenantId, segmentIds } of await readable(identity, tenant)) {
        const isAsked = ({ month, segment }: UsageRow): boolean =>
          month >= from && month <= to && (segmentIds.length === 0 || segmentIds.includes(segment));
        const release = await lookups.acquire({ tenantId, tokenId: identity.tokenId }, signal);
        try {
          rows.push(...(await usage.read(tenantId)).filter(isAsked).map((row) => ({ tenantId, ...row })));
        } finally {
          release();
        }
      }
      return jsonReply({ usage: rows });
    },
  };
}

function monthOrNone(query: URLSearchParams, name: string): string | undefined {
  const text = query.get(name);
  if (text === null) return undefined;
  if (/^\d{4}-(0[1-9]|1[0-2])$/.test(text)) return text;
  throw new LakeError('parameter_invalid', `"${name}" must be a UTC month such as 2026-11.`);
}

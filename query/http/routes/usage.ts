import { isId } from '../../../schemas/subjects.ts';
import type { UsageTables } from '../../accounts/usageTable.ts';
import type { UsageRow } from '../../accounts/usage.ts';
import { LakeError } from '../../../lake/errors.ts';
import type { Slots } from '../../engine/slots.ts';
import { GET_USAGE } from '../contract/accountOperations.ts';
import { jsonReply, type Route, type TokenCall } from '../route.ts';

/**
 * `GET /api/usage`: what tenants used, by month and segment.
 * @param sources.lookups slots of short reads
 */
export function usageRoute(sources: { usage: UsageTables; lookups: Slots; tenants: () => Promise<string[]> }): Route {
  const { usage, lookups, tenants } = sources;
  const readable = async (identity: TokenCall['identity'], tenant: string | null): Promise<string[]> => {
    if (identity.role === 'operator') return tenant === null ? tenants() : [tenant];
    if (tenant !== null && tenant !== identity.tenantId)
      throw new LakeError(
        'tenant_forbidden',
        `Token ${identity.tokenId} reads only ${identity.tenantId}. Omit "tenant".`,
      );
    return [identity.tenantId];
  };
  return {
    ...GET_USAGE,
    async handle({ query, identity, signal }: TokenCall) {
      const tenant = query.get('tenant');
      if (tenant !== null && !isId(tenant)) throw new LakeError('tenant_missing', `There is no tenant "${tenant}".`);
      const [from, to] = [monthOrNone(query, 'from') ?? '', monthOrNone(query, 'to') ?? '9999-12'];
      const segments = identity.role === 'reader' ? identity.segmentIds : [];
      const isAsked = ({ month, segment }: UsageRow): boolean =>
        month >= from && month <= to && (segments.length === 0 || segments.includes(segment));
      const rows: (UsageRow & { tenantId: string })[] = [];
      for (const tenantId of await readable(identity, tenant)) {
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

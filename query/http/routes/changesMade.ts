import type { ChangeRecord } from '../../../schemas/change.ts';
import { isId } from '../../../schemas/subjects.ts';
import { LakeError } from '../../../lake/errors.ts';
import type { Changes } from '../../accounts/changes.ts';
import type { Slots } from '../../engine/slots.ts';
import { LIST_AUDIT } from '../contract/accountOperations.ts';
import { wholeParameter } from '../parameters.ts';
import { jsonReply, type Route, type TokenCall } from '../route.ts';

const LISTED = 100;
const MOST_LISTED = 10_000;

/** `GET /api/audit`: the changes that people and services made, newest first. */
export function changesMadeRoute({ changes, lookups }: { changes: Changes; lookups: Slots }): Route {
  return {
    ...LIST_AUDIT,
    async handle({ query, identity, signal }: TokenCall) {
      const own = identity.role === 'reader' ? identity : undefined;
      const tenant = query.get('tenant') ?? own?.tenantId;
      if (tenant !== undefined && !isId(tenant))
        throw new LakeError('tenant_missing', `There is no tenant "${tenant}".`);
      if (own && tenant !== own.tenantId)
        throw new LakeError('tenant_forbidden', `Token ${own.tokenId} reads only ${own.tenantId}. Omit "tenant".`);
      const since = timeOf(query.get('since'));
      const action = query.get('action') ?? '';
      const limit = wholeParameter(query, 'limit', { otherwise: LISTED, most: MOST_LISTED });
      const release = await lookups.acquire({ tenantId: tenant ?? '', tokenId: identity.tokenId }, signal);
      try {
        const isAsked = (change: ChangeRecord): boolean =>
          (tenant === undefined || change.tenantId === tenant) &&
          (own === undefined || own.segmentIds.length === 0 || own.segmentIds.includes(change.segmentId ?? '')) &&
          change.action.startsWith(action) &&
          Date.parse(change.at) >= since;
        const found = (await changes.list()).filter(isAsked);
        return jsonReply({ changes: found.slice(0, limit), more: found.length > limit });
      } finally {
        release();
      }
    },
  };
}

function timeOf(text: string | null): number {
  if (text === null) return 0;
  const time = /^\d{4}-\d\d-\d\d(T.*(Z|[+-]\d\d:\d\d))?$/.test(text) ? Date.parse(text) : NaN;
  if (!Number.isNaN(time)) return time;
  throw new LakeError('parameter_invalid', '"since" must be a UTC date, or a time with its zone.');
}

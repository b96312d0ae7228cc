import type { ChangeRecord } from '../../../schemas/change.ts';
import { isId } from '../../../schemas/subjects.ts';
import { LakeError } from '../../../lake/errors.ts';
import type { Changes } from '../../accounts/changes.ts';
import type { Slots } from '../../engine/slots.ts';
import { LAKE_ERRORS } from '../../../schemas/queryErrors.ts';
import { readersOf, type TenantReader } from '../authorize.ts';
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
      const readers = readersOf(identity, LIST_AUDIT);
      const tenant = query.get('tenant') ?? undefined;
      if (tenant !== undefined && !isId(tenant))
        throw new LakeError('tenant_missing', `There is no tenant "${tenant}".`);
      const own = readers?.filter(({ tenantId }) => tenant === undefined || tenantId === tenant);
      if (own?.length === 0) throw new LakeError('tenant_forbidden', LAKE_ERRORS.tenant_forbidden.help);
      const since = timeOf(query.get('since'));
      const action = query.get('action') ?? '';
      const limit = wholeParameter(query, 'limit', { otherwise: LISTED, most: MOST_LISTED });
      const release = await lookups.acquire({ tenantId: tenant ?? '', tokenId: identity.tokenId }, signal);
      try {
        const isAsked = (change: ChangeRecord): boolean =>
          (tenant === undefined || change.tenantId === tenant) &&
          (own === undefined || own.some((reader) => isOf(reader, change))) &&
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

/** Whether a reader may see a change; one of some segments sees only changes of these. */
function isOf({ tenantId, segmentIds }: TenantReader, change: ChangeRecord): boolean {
  return change.tenantId === tenantId && (segmentIds.length === 0 || segmentIds.includes(change.segmentId ?? ''));
}

function timeOf(text: string | null): number {
  if (text === null) return 0;
  const time = /^\d{4}-\d\d-\d\d(T.*(Z|[+-]\d\d:\d\d))?$/.test(text) ? Date.parse(text) : NaN;
  if (!Number.isNaN(time)) return time;
  throw new LakeError('parameter_invalid', '"since" must be a UTC date, or a time with its zone.');
}

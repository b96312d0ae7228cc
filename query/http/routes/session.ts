import { listTenants } from '../../../lake/layout/tenants.ts';
import type { Storage } from '../../../lake/storage/storage.ts';
import { jsonReply, type TokenCall, type Route } from '../route.ts';
import { readersOf } from '../authorize.ts';
import type { SecretsOf } from './secrets.ts';
import { GET_SESSION } from '../contract/accessOperations.ts';
import type { SessionAnswer } from '../contract/sessionAnswer.ts';

/**
 * `GET /api/session`: the token's holder and the tenants it may read.
 *
 * Tenants are those with a key, a token or a table.
 */
export function sessionRoute({ keys, tokens }: SecretsOf, storage: Storage): Route {
  return {
    ...GET_SESSION,
    async handle({ identity }: TokenCall) {
      const { role, tokenId } = identity;
      const known = new Map<string, Set<string>>();
      const note = (tenantId: string, segmentIds: readonly string[] = []): void => {
        const segments = known.get(tenantId) ?? new Set();
        for (const segment of segmentIds) segments.add(segment);
        known.set(tenantId, segments);
      };
      const allTokens = tokens()?.list(Date.now()) ?? [];
      const allKeys = keys()?.list(Date.now()) ?? [];
      if (identity.role === 'reader') {
        note(identity.tenantId, identity.segmentIds);
        if (identity.segmentIds.length === 0)
          for (const key of allKeys) if (key.tenantId === identity.tenantId) note(key.tenantId, [key.segmentId]);
      } else if (identity.role === 'person') {
        for (const { tenantId, segmentIds } of readersOf(identity, GET_SESSION)!) {
          note(tenantId, segmentIds);
          const own = allKeys.filter((key) => key.tenantId === tenantId);
          if (segmentIds.length === 0)
            note(
              tenantId,
              own.map(({ segmentId }) => segmentId),
            );
        }
      } else {
        for (const { tenantId, segmentId } of allKeys) note(tenantId, [segmentId]);
        for (const token of allTokens) if (token.role === undefined) note(token.tenantId);
        for (const tenantId of await listTenants(storage)) note(tenantId);
      }
      const own = allTokens.find(({ id }) => id === tokenId);
      const session: SessionAnswer = {
        role,
        tokenId,
        label: own?.label ?? '',
        ...(identity.role === 'reader' || identity.name === undefined ? {} : { name: identity.name }),
        ...(identity.role === 'person' ? { grants: [...identity.grants] } : {}),
        ...(own?.expiresAt === undefined ? {} : { expiresAt: own.expiresAt }),
        tenants: [...known]
          .map(([tenantId, segmentIds]) => ({ tenantId, segmentIds: [...segmentIds].sort() }))
          .sort((a, b) => (a.tenantId < b.tenantId ? -1 : 1)),
      };
      return jsonReply(session);
    },
  };
}

import type { PresentTimes } from '../../stream/comparedClock.ts';
import type { SecretWatch } from '../../stream/secretStore.ts';
import { hasSafeIds, keyId, secretHash, stateOf, type TokenRecord } from '../../schemas/keys.ts';
import { isId } from '../../schemas/subjects.ts';
import { LakeError } from '../../lake/errors.ts';
import { LAKE_ERRORS } from '../../schemas/queryErrors.ts';

/** The holder of a request's token. */
export type Identity =
  | { role: 'reader'; tokenId: string; tenantId: string; segmentIds: readonly string[] }
  | { role: 'operator'; tokenId: string };

/** The tenant and segments that a request may read. */
export interface TenantReader {
  tokenId: string;
  tenantId: string;
  /** Empty: all segments. */
  segmentIds: readonly string[];
}

const BEARER = /^Bearer +(\S{1,200}) *$/i;

/** Header in which an operator names the tenant of a request. */
export const TENANT_HEADER = 'x-spor-tenant';

/**
 * Authenticates the `Authorization` header of a request.
 *
 * A token expires by no single clock: where two differ, both must say so.
 * @throws LakeError token_missing, token_unknown, token_revoked, token_expired, clocks_differ
 */
export function authenticate(
  tokens: SecretWatch<TokenRecord>,
  header: string | undefined,
  times: PresentTimes,
): Identity {
  const secret = BEARER.exec(header ?? '')?.[1];
  if (secret === undefined)
    throw new LakeError('token_missing', 'No read token. Send it as "Authorization: Bearer rt_…".');
  const hash = secretHash(secret);
  const record = tokens.get(hash);
  if (!record || (record.role !== 'operator' && !hasSafeIds(record))) {
    throw new LakeError(
      'token_unknown',
      'The read token is unknown. Check its spelling, and that it belongs to this environment.',
    );
  }
  const tokenId = keyId(hash);
  const [state, ...others] = times.map((ms) => stateOf(record, ms));
  if (state === 'revoked') throw new LakeError('token_revoked', `Token ${tokenId} was revoked. Use its successor.`);
  if (others.some((other) => (other === 'expired') !== (state === 'expired'))) {
    const message = `The clocks of this server and the stream server differ, and token ${tokenId} has expired by one of them. Send again later.`;
    throw new LakeError('clocks_differ', message, { retryAfterSeconds: 30 });
  }
  if (state === 'expired') throw new LakeError('token_expired', `Token ${tokenId} has expired. Use its successor.`);
  if (record.role === 'operator') return { role: 'operator', tokenId };
  return { role: 'reader', tokenId, tenantId: record.tenantId, segmentIds: record.segmentIds ?? [] };
}

/**
 * Tenant of a request: the read token's, or the operator's choice.
 * @throws LakeError tenant_missing, tenant_forbidden
 */
export function readerOf(identity: Identity, tenantHeader: string | undefined): TenantReader {
  if (identity.role === 'operator') {
    if (tenantHeader === undefined || !isId(tenantHeader))
      throw new LakeError('tenant_missing', LAKE_ERRORS.tenant_missing.help);
    return { tokenId: identity.tokenId, tenantId: tenantHeader, segmentIds: [] };
  }
  const { tokenId, tenantId, segmentIds } = identity;
  if (tenantHeader !== undefined && tenantHeader !== tenantId)
    throw new LakeError('tenant_forbidden', `Token ${tokenId} reads only ${tenantId}. Omit X-Spor-Tenant.`);
  return { tokenId, tenantId, segmentIds };
}

/** Name of an identity in records of changes. */
export function nameOf({ tokenId }: Identity): string {
  return `token ${tokenId}`;
}

/** The error of a request for an unknown tenant. */
export function unknownTenant(tenantId: string): LakeError {
  return new LakeError(
    'tenant_unknown',
    `There is no tenant ${tenantId}: it has no key, no token and no table. GET /api/session lists those there are.`,
  );
}

/**
 * Rejects any identity but an operator.
 * @throws LakeError operator_required
 */
export function requireOperator(identity: Identity): void {
  if (identity.role !== 'operator') throw new LakeError('operator_required', LAKE_ERRORS.operator_required.help);
}

import type { PresentTimes } from '../../stream/comparedClock.ts';
import type { SecretWatch } from '../../stream/secretStore.ts';
import { hasSafeIds, keyId, secretHash, stateOf, type Grant, type TokenRecord } from '../../schemas/keys.ts';
import { isId } from '../../schemas/subjects.ts';
import { coveredSegments } from '../access/person.ts';
import { grantsFor } from './roles.ts';
import type { Route } from './route.ts';
import { LakeError } from '../../lake/errors.ts';
import { LAKE_ERRORS } from '../../schemas/queryErrors.ts';

/** The holder of a request's token. */
export type Identity =
  | { role: 'reader'; tokenId: string; tenantId: string; segmentIds: readonly string[] }
  | { role: 'operator'; tokenId: string; name?: string }
  | { role: 'person'; tokenId: string; name: string; grants: readonly Grant[] };

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
  const record = tokens.get(secretHash(secret));
  if (!record || record.role === 'person' || (record.role !== 'operator' && !hasSafeIds(record))) {
    throw new LakeError(
      'token_unknown',
      'The read token is unknown. Check its spelling, and that it belongs to this environment.',
    );
  }
  const tokenId = keyId(secretHash(secret));
  checkState(record, tokenId, times);
  if (record.role === 'operator') return { role: 'operator', tokenId };
  return { role: 'reader', tokenId, tenantId: record.tenantId, segmentIds: record.segmentIds ?? [] };
}

/**
 * Authenticates the session of a person, by the secret of the cookie.
 * @throws LakeError token_unknown, token_revoked, token_expired, clocks_differ
 */
export function authenticateSession(tokens: SecretWatch<TokenRecord>, secret: string, times: PresentTimes): Identity {
  const record = tokens.get(secretHash(secret));
  if (record?.role !== 'person') throw new LakeError('token_unknown', 'The session is unknown. Sign in again.');
  const tokenId = keyId(secretHash(secret));
  checkState(record, tokenId, times);
  const { operator, grants, label: name } = record;
  return operator ? { role: 'operator', tokenId, name } : { role: 'person', tokenId, name, grants };
}

/** @throws LakeError token_revoked, token_expired, clocks_differ */
function checkState(record: TokenRecord, tokenId: string, times: PresentTimes): void {
  const [state, ...others] = times.map((ms) => stateOf(record, ms));
  if (state === 'revoked') throw new LakeError('token_revoked', `Token ${tokenId} was revoked. Use its successor.`);
  if (others.some((other) => (other === 'expired') !== (state === 'expired'))) {
    const message = `The clocks of this server and the stream server differ, and token ${tokenId} has expired by one of them. Send again later.`;
    throw new LakeError('clocks_differ', message, { retryAfterSeconds: 30 });
  }
  if (state === 'expired') throw new LakeError('token_expired', `Token ${tokenId} has expired. Use its successor.`);
}

/**
 * Tenant of a request: the read token's, or the choice of an operator or a person.
 * @throws LakeError tenant_missing, tenant_forbidden, role_required
 */
export function readerOf(
  identity: Identity,
  tenantHeader: string | undefined,
  route: Pick<Route, 'method' | 'path'>,
): TenantReader {
  if (identity.role === 'person') return personReader(identity, tenantHeader, route);
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

/** A person without a choice reads the only tenant there is. */
function personReader(
  { tokenId, name, grants }: Extract<Identity, { role: 'person' }>,
  tenantHeader: string | undefined,
  route: Pick<Route, 'method' | 'path'>,
): TenantReader {
  const own = new Set(grants.map(({ tenantId }) => tenantId));
  const tenantId = tenantHeader ?? (own.size === 1 ? [...own][0] : undefined);
  if (tenantId === undefined) throw new LakeError('tenant_missing', LAKE_ERRORS.tenant_missing.help);
  if (!own.has(tenantId)) throw new LakeError('tenant_forbidden', `${name} has no role in this tenant.`);
  const segmentIds = coveredSegments(grantsFor(grants, route), tenantId);
  if (!segmentIds) throw new LakeError('role_required', LAKE_ERRORS.role_required.help);
  return { tokenId, tenantId, segmentIds };
}

/** Tenants of an identity at an address that names none; undefined: all. @throws LakeError role_required */
export function readersOf(identity: Identity, route: Pick<Route, 'method' | 'path'>): TenantReader[] | undefined {
  if (identity.role === 'operator') return undefined;
  if (identity.role === 'reader') return [identity];
  const grants = grantsFor(identity.grants, route);
  if (grants.length === 0) throw new LakeError('role_required', LAKE_ERRORS.role_required.help);
  return [...new Set(grants.map(({ tenantId }) => tenantId))]
    .sort()
    .map((tenantId) => ({ tokenId: identity.tokenId, tenantId, segmentIds: coveredSegments(grants, tenantId)! }));
}

/** Name of an identity in records of changes. */
export function nameOf(identity: Identity): string {
  const name = identity.role === 'reader' ? undefined : identity.name;
  return name === undefined ? `token ${identity.tokenId}` : `${name} (session ${identity.tokenId})`;
}

/**
 * Rejects any identity but an operator, and an integrator of the segment.
 * @throws LakeError operator_required
 */
export function requireIntegrator(
  identity: Identity,
  of: { tenantId?: string | undefined; segmentId?: string | undefined },
): void {
  if (identity.role !== 'person') return requireOperator(identity);
  const grants = identity.grants.filter(({ role }) => role === 'integrator');
  const segments = of.tenantId === undefined ? undefined : coveredSegments(grants, of.tenantId);
  if (segments && (segments.length === 0 || segments.includes(of.segmentId ?? ''))) return;
  requireOperator(identity);
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

import { PERSON_ROLES, type Grant } from '../../schemas/keys.ts';
import { isId } from '../../schemas/subjects.ts';

/** What a person may do, from the roles of a provider. */
export interface PersonRights {
  operator: boolean;
  grants: Grant[];
  /** Values that are no roles of Spor. */
  ignored: string[];
}

/**
 * Rights from the values of a claim: a list, or a text with blanks between.
 *
 * A value is `operator`, or a role with a tenant and perhaps a segment: `analyst:demo-shop`, `integrator:demo-shop/web`.
 */
export function personRights(claim: unknown): PersonRights {
  const values = typeof claim === 'string' ? claim.split(/\s+/) : Array.isArray(claim) ? claim : [];
  const rights: PersonRights = { operator: false, grants: [], ignored: [] };
  for (const value of values) {
    if (typeof value !== 'string' || value === '') continue;
    const grant = grantOf(value);
    if (value === 'operator') rights.operator = true;
    else if (grant) rights.grants.push(grant);
    else rights.ignored.push(value);
  }
  return rights;
}

function grantOf(value: string): Grant | undefined {
  const [, name = '', tenantId = '', segmentId] = /^([a-z]+):([^/]+)(?:\/(.+))?$/.exec(value) ?? [];
  const role = PERSON_ROLES.find((known) => known === name);
  if (!role || !isId(tenantId) || (segmentId !== undefined && !isId(segmentId))) return undefined;
  return { role, tenantId, segmentIds: segmentId === undefined ? [] : [segmentId] };
}

/** Segments of a tenant that some grants cover together, empty for all; undefined if none covers the tenant. */
export function coveredSegments(grants: readonly Grant[], tenantId: string): string[] | undefined {
  const own = grants.filter((grant) => grant.tenantId === tenantId);
  if (own.length === 0) return undefined;
  if (own.some(({ segmentIds }) => segmentIds.length === 0)) return [];
  return [...new Set(own.flatMap(({ segmentIds }) => segmentIds))].sort();
}

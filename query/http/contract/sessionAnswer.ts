import type { Grant } from '../../../schemas/keys.ts';

/** The answer of `GET /api/session`. */
export interface SessionAnswer {
  role: 'reader' | 'operator' | 'person';
  tokenId: string;
  label: string;
  /** Name of a person who signed in; absent: a token. */
  name?: string;
  /** Roles of a person who is no operator. */
  grants?: Grant[];
  expiresAt?: string;
  /** Tenants that may be chosen, in order. A token for some segments lists only those. */
  tenants: { tenantId: string; segmentIds: string[] }[];
}

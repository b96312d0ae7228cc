/** The answer of `GET /api/session`. */
export interface SessionAnswer {
  role: 'reader' | 'operator';
  tokenId: string;
  label: string;
  expiresAt?: string;
  /** Tenants that may be chosen, in order. A token for some segments lists only those. */
  tenants: { tenantId: string; segmentIds: string[] }[];
}

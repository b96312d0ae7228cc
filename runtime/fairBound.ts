/** Who holds something: a tenant, by one of its tokens. */
export interface Holder {
  tenantId: string;
  tokenId: string;
}

/** Numbers of things under way at once. */
export interface FairLimits {
  perToken: number;
  perTenant: number;
  total: number;
}

/**
 * Bound on things under way, in which nobody can shut out the others.
 *
 * The limit of all does not bind a tenant that holds nothing, and the limit of a tenant does not bind a token that
 * holds nothing. So the most is `total` and one for each other tenant.
 */
export interface FairBound {
  readonly count: number;
  /**
   * Counts one more.
   * @returns a function that ends it, or undefined if a limit is reached
   */
  take(holder: Holder): (() => void) | undefined;
}

export function createFairBound({ perToken, perTenant, total }: FairLimits): FairBound {
  const held = new Map<string, number>();
  let count = 0;
  const of = (key: string): number => held.get(key) ?? 0;
  const add = (key: string, by: number): void => {
    if (of(key) + by === 0) held.delete(key);
    else held.set(key, of(key) + by);
  };
  return {
    get count() {
      return count;
    },
    take: ({ tenantId, tokenId }) => {
      const tokenKey = `${tenantId} ${tokenId}`;
      const tenant = of(tenantId);
      const token = of(tokenKey);
      if (token >= perToken || (tenant >= perTenant && token > 0) || (count >= total && tenant > 0)) return undefined;
      const change = (by: number): void => {
        count += by;
        add(tenantId, by);
        add(tokenKey, by);
      };
      change(1);
      let ended = false;
      return () => {
        if (ended) return;
        ended = true;
        change(-1);
      };
    },
  };
}

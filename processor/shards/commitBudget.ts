/** When a tenant's table gets its next commit. */
export interface CommitPolicy {
  /** Age of an uncommitted message before which age causes no commit. */
  leastAgeMs: number;
  /** Age at which a tenant is committed in any case. */
  mostAgeMs: number;
  /** Commits a second that age may cause, unless so many tenants wait that some would pass the most age. */
  commitsPerSecond: number;
  /** Bytes of messages at which a tenant is committed before its age. */
  bytes: number;
  /** Bytes of memory for what waits, of all tenants together. */
  heldBytes: number;
}

/** Tenants that are committed together, at most, because of age. Each window has a fixed cost. */
const TENANTS_AT_ONCE = 32;

/** Age at which tenants are committed, if so many wait. Pure. */
export function commitAgeMs(tenants: number, policy: CommitPolicy): number {
  return Math.max(policy.leastAgeMs, (tenants * 1_000) / ratePerSecond(tenants, policy));
}

function ratePerSecond(tenants: number, { commitsPerSecond, mostAgeMs }: CommitPolicy): number {
  return Math.max(commitsPerSecond, (tenants * 1_000) / mostAgeMs);
}

/**
 * The commits that age may cause, as a budget that grows with time.
 *
 * A turn comes once the budget is enough for all that wait, or for as many as are committed together. The oldest go
 * first. So few tenants are committed at the least age, and many one after the other, whenever they began to send.
 */
export class CommitBudget {
  readonly #policy: CommitPolicy;
  #commits = 0;
  #atMs: number | undefined;

  constructor(policy: CommitPolicy) {
    this.#policy = policy;
  }

  /** Milliseconds until the next turn, if so many tenants wait. */
  leftMs(tenants: number, nowMs: number): number {
    const missing = Math.min(tenants, TENANTS_AT_ONCE) - this.#grown(tenants, nowMs);
    return Math.max(0, (missing * 1_000) / ratePerSecond(tenants, this.#policy));
  }

  /** Number of tenants that may be committed now, if so many wait: 0 before their turn. */
  turn(tenants: number, nowMs: number): number {
    this.#commits = this.#grown(tenants, nowMs);
    this.#atMs = nowMs;
    // A timer that fires early by a rounding error is no reason for another one.
    return this.#commits + 1e-6 >= Math.min(tenants, TENANTS_AT_ONCE) ? Math.min(tenants, TENANTS_AT_ONCE) : 0;
  }

  spend(commits: number): void {
    this.#commits = Math.max(0, this.#commits - commits);
  }

  #grown(tenants: number, nowMs: number): number {
    this.#atMs ??= nowMs;
    const grown = ((nowMs - this.#atMs) / 1_000) * ratePerSecond(tenants, this.#policy);
    return Math.min(TENANTS_AT_ONCE, this.#commits + Math.max(0, grown));
  }
}

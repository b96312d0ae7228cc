/** The answer of `GET /api/lag`: backlog of the tenant's shard. */
export interface LagAnswer {
  /** Time of the answer, in milliseconds since 1970. */
  at: number;
  shard: number;
  /** Acknowledged messages that are not committed yet; each holds many events. */
  lagMessages: number;
  /** Age of the oldest uncommitted message; 0 without a backlog, absent if unknown. */
  behindMs?: number;
  /** Time of the shard's last commit, ISO 8601. */
  lastCommit?: string;
}

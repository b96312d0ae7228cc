/** The answer of `GET /api/lag`: the tenant's backlog. */
export interface LagAnswer {
  /** Time of the answer, in milliseconds since 1970. */
  at: number;
  /** Shard of the tenant's stream. */
  shard: number;
  /** Acknowledged messages of the tenant that are not committed yet; each holds many events. */
  lagMessages: number;
  /** Age of the oldest of them; 0 without a backlog. */
  behindMs: number;
  /** Time that the stream stored the tenant's last message that is in the lake, ISO 8601. */
  lastCommit?: string;
}

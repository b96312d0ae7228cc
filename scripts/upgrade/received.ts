/** What senders saw of the receivers. */
export interface Received {
  accepted: (atMs: number) => void;
  retried: (reason: string) => void;
  /** Longest time between two 202s, in milliseconds. */
  readonly longestGapMs: number;
  /** Number of tries by reason that a sender had to repeat, such as `ECONNREFUSED`. */
  readonly retries: ReadonlyMap<string, number>;
  /** Answers with a status other than 202 and 400. */
  readonly refusals: number;
}

/** Counts what senders see, from the first 202 on. */
export function createReceived(): Received {
  const retries = new Map<string, number>();
  let lastMs: number | undefined;
  let longestGapMs = 0;
  return {
    accepted(atMs) {
      longestGapMs = Math.max(longestGapMs, atMs - (lastMs ?? atMs));
      lastMs = atMs;
    },
    retried(reason) {
      retries.set(reason, (retries.get(reason) ?? 0) + 1);
    },
    get longestGapMs() {
      return longestGapMs;
    },
    retries,
    get refusals() {
      return [...retries].reduce((sum, [reason, count]) => sum + (/^\d{3} /.test(reason) ? count : 0), 0);
    },
  };
}

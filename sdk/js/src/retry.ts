/** What an answer means for the events of its request. */
export type Verdict = 'done' | 'drop' | 'split' | 'stop' | 'retry';

/** The only place that decides on resending. @param status HTTP status, 0 for no answer. */
export function verdictOf(status: number): Verdict {
  if (status === 202) return 'done';
  if (status === 413) return 'split';
  if (status === 401 || status === 403) return 'stop';
  // What is not the receiver's word on these events: no answer, a portal's page, a proxy's 404, a busy or failing receiver.
  return /^4(?!04|05|08|25|29)/.test(`${status}`) ? 'drop' : 'retry';
}

export interface Backoff {
  backoffBaseMs: number;
  backoffCapMs: number;
  retryAfterCapMs: number;
}

/**
 * How long a `Retry-After` header asks to wait, in ms and capped: seconds or an HTTP date (RFC 9110 §10.2.3), with up to
 * a quarter added so that senders told the same do not come back at once. 0 without a usable header.
 */
export function retryAfterMs(header: string | null | undefined, now: number, random: number, limits: Backoff): number {
  const asked = +header! * 1000 || Date.parse(header!) - now;
  return asked > 0 ? Math.min(asked, limits.retryAfterCapMs) * (1 + random / 4) : 0;
}

/** Delay after the n-th failure in a row, ms: between half and the whole of an exponentially growing, capped time. */
export function backoffMs(failures: number, random: number, limits: Backoff): number {
  return (Math.min(limits.backoffCapMs, limits.backoffBaseMs * 2 ** (failures - 1)) * (1 + random)) / 2;
}

/** Consequence of an answer for the events of its request. */
export type Verdict = 'done' | 'drop' | 'split' | 'stop' | 'retry';

/** Decide on resending; no other code does. @param status HTTP status, 0 for no answer. */
export function verdictOf(status: number): Verdict {
  if (status === 202) return 'done';
  if (status === 413) return 'split';
  if (status === 401 || status === 403) return 'stop';
  // Retry answers that do not judge the events: none, a login page, a proxy's 404, a busy or failing receiver.
  return /^4(?!04|05|08|25|29)/.test(`${status}`) ? 'drop' : 'retry';
}

export interface Backoff {
  backoffBaseMs: number;
  backoffCapMs: number;
  retryAfterCapMs: number;
}

/**
 * Delay of a `Retry-After` header in ms, capped (RFC 9110 §10.2.3).
 *
 * The header has seconds or an HTTP date. Up to a quarter is added, so that senders do not all return at once. 0 without a valid header.
 */
export function retryAfterMs(header: string | null | undefined, now: number, random: number, limits: Backoff): number {
  const asked = +header! * 1000 || Date.parse(header!) - now;
  return asked > 0 ? Math.min(asked, limits.retryAfterCapMs) * (1 + random / 4) : 0;
}

/**
 * Delay after the n-th failure in a row, ms.
 *
 * The delay is random, between half and all of a capped exponential value.
 */
export function backoffMs(failures: number, random: number, limits: Backoff): number {
  return (Math.min(limits.backoffCapMs, limits.backoffBaseMs * 2 ** (failures - 1)) * (1 + random)) / 2;
}

/** Consequence of an answer for the events of its request. */
export type Verdict = 0 | 1 | 2 | 3 | 4 | 5;
export const DONE: Verdict = 0;
export const DROP: Verdict = 1;
export const SPLIT: Verdict = 2;
export const STOP: Verdict = 3;
export const RETRY: Verdict = 4;
export const SILENCE: Verdict = 5;

/** The receiver's codes of failures that a resend cannot change; a test compares them with `schemas/errors.ts`. */
const OURS = /^(batch|body|content_type|encoding|key|kind_not|no_valid|origin_not)_/;

/**
 * Decide on resending; no other code does.
 *
 * Only an answer with a code or a receipt of the receiver is its word. Firewalls, proxies and sign-in pages answer with any
 * status, and say nothing about the events: silence.
 * @param status HTTP status, 0 for no answer.
 */
export function verdictOf(status: number, { code, receiptId }: { code?: string; receiptId?: string }): Verdict {
  if (status < 300 && receiptId) return DONE;
  if (status > 428 && code) return RETRY;
  if (status < 400 || status === 408 || !OURS.test(code!)) return SILENCE;
  if (status === 413) return SPLIT;
  return status === 401 || status === 403 ? STOP : DROP;
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

import { retryAfter } from '../schemas/errorKind.ts';
import { REQUEST_ERRORS, type RequestErrorCode, ReceiverError } from '../schemas/errors.ts';
import { isNear, type QuotaStanding } from '../schemas/quotas.ts';
import type { Verdict } from '../schemas/envelope.ts';
import type { CorrectedPlace, JudgedEvent } from './events/judge.ts';

/** An answer to a POST, apart from HTTP. */
export interface ReceiverAnswer {
  status: number;
  body: string;
  /** Label in metrics: `accepted`, `dry_run` or an error code. */
  code: string;
  retryAfterSeconds: number | undefined;
  /** More headers; absent: none. */
  headers?: Readonly<Record<string, string>>;
}

/** Most corrections that an answer lists. */
const MOST_TOLD = 100;

/** Outcome of a batch, for its answer. */
interface Told {
  rejected: readonly JudgedEvent[];
  corrected: readonly CorrectedPlace[];
}

/** Answer 202: at least one event is on disk. */
export function acceptedAnswer(
  receiptId: string,
  { accepted, rejected, corrected, quotas = [] }: Told & { accepted: number; quotas?: readonly QuotaStanding[] },
): ReceiverAnswer {
  const verdicts = rejected.length === 0 ? '[]' : JSON.stringify(rejected.map(verdict));
  const corrections = corrected.length === 0 ? '' : `,${JSON.stringify(correctionsOf(corrected)).slice(1, -1)}`;
  const near = quotas.filter(isNear).map(({ per, limit, used }) => ({ per, limit, used }));
  const quota = near.length === 0 ? '' : `,"quota":${JSON.stringify(near)}`;
  const body = `{"receiptId":"${receiptId}","accepted":${accepted},"rejected":${verdicts}${corrections}${quota}}`;
  const answer = { status: 202, body, code: 'accepted', retryAfterSeconds: undefined };
  return quotas.length === 0 ? answer : { ...answer, headers: quotaHeaders(quotas) };
}

const PERIOD_SECONDS = { day: 86_400, month: 2_592_000 };

/** Headers of what is left (draft-ietf-httpapi-ratelimit-headers). A month counts as 30 days in its policy. */
function quotaHeaders(quotas: readonly QuotaStanding[]): Record<string, string> {
  const policy = quotas.map(({ per, limit }) => `"${per}";q=${limit};w=${PERIOD_SECONDS[per]}`);
  const left = quotas.map(
    ({ per, limit, used, resetSeconds }) => `"${per}";r=${Math.max(0, limit - used)};t=${resetSeconds}`,
  );
  return { 'RateLimit-Policy': policy.join(', '), RateLimit: left.join(', ') };
}

/** Answer of a dry run: 200, or the failure of a real send. */
export function dryRunAnswer({ rejected, corrected, rows }: Told & { rows: readonly object[] }): ReceiverAnswer {
  const verdicts = { accepted: rows.length, rejected: rejected.map(verdict) };
  const facts = { ...verdicts, ...(corrected.length === 0 ? {} : correctionsOf(corrected)), rows };
  const failed = rows.length === 0;
  const message = `All ${rejected.length} events would be refused; "rejected" says why. This is a dry run: nothing was stored.`;
  const body = JSON.stringify(failed ? { code: 'no_valid_event', message, ...facts } : facts);
  const status = failed ? REQUEST_ERRORS.no_valid_event.status : 200;
  return { status, body, code: 'dry_run', retryAfterSeconds: undefined };
}

/** The first corrections, and the number of the others. */
function correctionsOf(corrected: readonly CorrectedPlace[]): object {
  const more = corrected.length - MOST_TOLD;
  return { corrections: corrected.slice(0, MOST_TOLD), ...(more > 0 ? { moreCorrections: more } : {}) };
}

/** Answer of a failed request, by the error table. */
export function failureAnswer(error: ReceiverError, rejected: readonly JudgedEvent[] = []): ReceiverAnswer {
  const kind = REQUEST_ERRORS[error.code];
  const body = JSON.stringify({
    code: error.code,
    message: error.message,
    ...(rejected.length === 0 ? {} : { rejected: rejected.map(verdict) }),
  });
  return { status: kind.status, body, code: error.code, retryAfterSeconds: retryAfter(kind, error) };
}

/** A failure with the text of the error table. */
export function plainFailure(code: RequestErrorCode, retryAfterSeconds?: number): ReceiverError {
  return new ReceiverError(
    code,
    REQUEST_ERRORS[code].help,
    retryAfterSeconds === undefined ? {} : { retryAfterSeconds },
  );
}

/** The answer about a rejected event, without the event itself. */
function verdict({ index, eventId, code, path, message, faults = [] }: JudgedEvent): Verdict {
  const several = faults.length > 1 ? { faults } : {};
  return { index, ...(eventId === undefined ? {} : { eventId }), code, path, message, ...several };
}

const STATUS_TEXT: Record<number, string> = {
  200: '200 OK',
  202: '202 Accepted',
  204: '204 No Content',
  400: '400 Bad Request',
  401: '401 Unauthorized',
  403: '403 Forbidden',
  404: '404 Not Found',
  405: '405 Method Not Allowed',
  408: '408 Request Timeout',
  413: '413 Content Too Large',
  415: '415 Unsupported Media Type',
  429: '429 Too Many Requests',
  500: '500 Internal Server Error',
  503: '503 Service Unavailable',
};

/** `202 Accepted` */
export function statusLine(status: number): string {
  return STATUS_TEXT[status] ?? String(status);
}

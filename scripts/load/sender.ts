import { Agent, request } from 'node:http';
import { Agent as SecureAgent, request as secureRequest } from 'node:https';
import { REQUEST_ERRORS } from '../../schemas/errors.ts';
import type { Verdict } from '../../schemas/envelope.ts';
import { backoffMs, delay } from '../../runtime/retry.ts';
import type { SendAnswer, SentBatch, Ledger } from './ledger.ts';

export interface SenderOptions {
  /** Base URL of the Event Receiver, such as `http://127.0.0.1:4001`, or its choice for each try. */
  url: string | (() => string);
  /** Instrumentation key of a tenant and segment, of a page unless a server's is asked for. */
  keyOf: (tenantId: string, segmentId: string, kind?: 'server') => string;
  ledger: Ledger;
  connections: number;
  /** Time after which a try without an answer counts as failed. */
  timeoutMs?: number;
  /** Time since its first try after which a batch is given up. */
  giveUpMs?: number;
  signal?: AbortSignal;
  /** Called for each try that is to be repeated, such as `503 stream_unavailable` or `ECONNREFUSED`. */
  onRetry?: (reason: string) => void;
  /** Called for each 202, once its last byte is read. */
  onAccepted?: (batch: SentBatch, answer: SendAnswer, atMs: number) => void;
}

export interface Sender {
  /**
   * Sends until the outcome is known or the batch given up.
   *
   * Never throws.
   */
  send: (batch: SentBatch) => Promise<void>;
  close: () => void;
}

interface Reply {
  status: number;
  retryAfterMs: number | undefined;
  body: string;
}

const BACKOFF = { firstMs: 100, maxMs: 3_000 };

/**
 * Creates a sender that retries like an SDK.
 *
 * Every try has the same event ids. Connection errors, timeouts, 429 and 5xx are tried again, no sooner than
 * Retry-After allows.
 */
export function createSender(options: SenderOptions): Sender {
  const { url } = options;
  const target = (): URL => new URL('/api/events', typeof url === 'string' ? url : url());
  const secure = target().protocol === 'https:';
  const agent = secure
    ? new SecureAgent({ keepAlive: true, maxSockets: options.connections })
    : new Agent({ keepAlive: true, maxSockets: options.connections });
  const { ledger, timeoutMs = 20_000, giveUpMs = 60_000 } = options;

  const post = (batch: SentBatch): Promise<Reply> => {
    const events = batch.events.map((event) => event.json).join(',');
    const body = Buffer.from(`{"sentAt":"${new Date().toISOString()}","events":[${events}]}`);
    const headers = {
      'content-type': 'application/json',
      'content-length': body.length,
      'user-agent': 'spor-load',
      'x-instrumentation-key': options.keyOf(batch.tenantId, batch.segmentId, batch.keyKind),
    };
    return new Promise((resolve, reject) => {
      const start = secure ? secureRequest : request;
      const call = start(target(), { method: 'POST', agent, headers, timeout: timeoutMs }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            retryAfterMs: retryAfterMs(response.headers['retry-after']),
            body: Buffer.concat(chunks).toString('utf8'),
          }),
        );
      });
      call.on('timeout', () => call.destroy(new Error(`no answer within ${timeoutMs} ms`)));
      call.on('error', reject);
      call.end(body);
    });
  };

  /** The outcome of one try: an answer, a reason to retry, or a reason to stop. */
  const attempt = async (
    batch: SentBatch,
  ): Promise<{ answer: SendAnswer } | { again: string; waitMs?: number } | { over: string }> => {
    let reply: Reply;
    try {
      reply = await post(batch);
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      return { again: code ?? message };
    }
    const answer = readAnswer(reply);
    if (answer) return { answer };
    const code = errorCode(reply.body);
    const reason = `${reply.status} ${code ?? 'without a code'}`;
    const kind = code === undefined ? undefined : (REQUEST_ERRORS as Record<string, { retryable: boolean }>)[code];
    const retryable = kind?.retryable ?? (reply.status === 429 || reply.status >= 500);
    if (!retryable) return { over: reason };
    return reply.retryAfterMs === undefined ? { again: reason } : { again: reason, waitMs: reply.retryAfterMs };
  };

  return {
    async send(batch) {
      const begunMs = Date.now();
      ledger.sending(batch);
      for (let tries = 0; ; tries++) {
        const triedAt = performance.now();
        const outcome = await attempt(batch);
        if ('answer' in outcome) {
          ledger.answered(batch, outcome.answer, performance.now() - triedAt);
          if (outcome.answer.status === 202) options.onAccepted?.(batch, outcome.answer, Date.now());
          return;
        }
        if ('over' in outcome) return ledger.gaveUp(batch, outcome.over);
        options.onRetry?.(outcome.again);
        const waitMs = Math.max(outcome.waitMs ?? 0, backoffMs(tries, BACKOFF));
        if (options.signal?.aborted || Date.now() + waitMs - begunMs > giveUpMs)
          return ledger.gaveUp(batch, outcome.again);
        await delay(waitMs, options.signal);
        ledger.resending();
      }
    },
    close: () => agent.destroy(),
  };
}

/** The verdicts of a 202, or of a 400 for all events; undefined for other replies. */
function readAnswer({ status, body }: Reply): SendAnswer | undefined {
  if (status !== 202 && status !== 400) return undefined;
  let value: { receiptId?: string; accepted?: number; rejected?: Verdict[] };
  try {
    value = JSON.parse(body) as typeof value;
  } catch {
    return undefined; // not from our receiver: a proxy's own page
  }
  const { rejected = [], accepted = 0, receiptId } = value;
  // A 400 without a verdict for each event concerns the whole request.
  if (status === 400 && (rejected.length === 0 || rejected.some(({ index }) => index === null))) return undefined;
  return { status, ...(receiptId === undefined ? {} : { receiptId }), accepted, rejected };
}

function errorCode(body: string): string | undefined {
  try {
    const { code } = JSON.parse(body) as { code?: unknown };
    return typeof code === 'string' ? code : undefined;
  } catch {
    return undefined; // not JSON: answered by something else than our receiver
  }
}

/** Retry-After in seconds or as a date (RFC 9110 §10.2.3). */
function retryAfterMs(header: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  if (/^\d+$/.test(header)) return Number(header) * 1000;
  const at = Date.parse(header);
  return Number.isNaN(at) ? undefined : Math.max(0, at - Date.now());
}

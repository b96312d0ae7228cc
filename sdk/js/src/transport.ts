import type { TrackerOptions } from './api.ts';
import type { Host } from './host.ts';
import { byteLength } from './queue.ts';

/** What became of a request. */
interface Answer {
  /** HTTP status; 0 for no answer; -1 when the browser may have sent it, and does not tell. */
  status: number;
  retryAfter?: string | null;
  body: AnswerBody;
}

/** Bodies of the receiver: a receipt, or a failure with a code. */
interface AnswerBody {
  receiptId?: string;
  code?: string;
  message?: string;
  rejected?: { index: number | null; code: string; message: string; retryable?: boolean }[];
}

export interface Transport {
  /**
   * Sends one body. Never rejects. When `last` the page may be gone in a moment: the request is on its way before this
   * returns, and outlives the page.
   */
  post(body: string, last: boolean): Promise<Answer>;
  /** Bytes that may still be sent by requests that outlive the page. */
  room(): number;
}

/** Browsers allow 64 KiB in flight for all requests of a page that outlive it; the shop's own may need some too. */
const OUTLIVING_BYTES = 62_000;

/**
 * POST to the receiver. The body goes as text/plain, so that a page of another origin needs no preflight; only bodies
 * worth compressing carry a Content-Encoding, and so cost one.
 */
export function createTransport(host: Host, url: string, compress: TrackerOptions['compress']): Transport {
  let outliving = 0;
  return {
    post: async (body, last) => {
      let bytes = 0;
      try {
        if (last && !('keepalive' in Request.prototype)) {
          host.navigator!.sendBeacon!(url, body);
          return { status: -1, body: {} };
        }
        const compressed = !last && compress && (await compress(body));
        const size = compressed ? compressed.byteLength : byteLength(body);
        const keepalive = size < OUTLIVING_BYTES - outliving;
        if (keepalive) outliving += bytes = size;
        const response = await host.fetch(url, {
          method: 'POST',
          headers: { 'content-type': 'text/plain', ...(compressed && { 'content-encoding': 'gzip' }) },
          body: compressed || body,
          keepalive,
          credentials: 'omit',
          signal: AbortSignal.timeout?.(15_000),
        });
        const answer = (await response.json().catch(() => 0)) as AnswerBody;
        return { status: response.status, retryAfter: response.headers.get('retry-after'), body: answer || {} };
      } catch (error) {
        return { status: 0, body: { code: 'network_error', message: String(error) } };
      } finally {
        outliving -= bytes;
      }
    },
    room: () => OUTLIVING_BYTES - outliving,
  };
}

import type { TrackerOptions } from './api.ts';
import type { Host } from './host.ts';
import { byteLength } from './queue.ts';

/** Outcome of a request. */
interface Answer {
  /** HTTP status; 0: no answer. */
  status: number;
  retryAfter?: string | null;
  body: AnswerBody;
}

/** Bodies from the receiver: a receipt, or a failure with a code. */
interface AnswerBody {
  receiptId?: string;
  code?: string;
  message?: string;
  rejected?: { index: number | null; code: string; path?: string; message: string; retryable?: boolean }[];
}

export interface Transport {
  /**
   * Send one body. Never rejects.
   *
   * With `last` the page may end: the request starts before the return, and outlives the page.
   */
  post(body: string, key: string, last: boolean): Promise<Answer>;
  /** Bytes left for requests that outlive the page. */
  room(): number;
}

/**
 * Most bytes in requests that outlive the page.
 *
 * Browsers allow 64 KiB for all of a page's requests, including the shop's own.
 */
const OUTLIVING_BYTES = 62_000;

/**
 * Create a transport by POST to the receiver.
 *
 * Bodies are text/plain, so that another origin needs no preflight. Only a compressed body has a Content-Encoding, which needs
 * one. Such a body names its key in a header too, because receivers decompress little for unknown senders.
 */
export function createTransport(host: Host, url: string, { compress }: TrackerOptions): Transport {
  let outliving = 0;
  return {
    post: async (body, key, last) => {
      let bytes = 0;
      try {
        const compressed = !last && compress && (await compress(body));
        const size = compressed ? compressed.byteLength : byteLength(body);
        const keepalive = size < OUTLIVING_BYTES - outliving;
        if (keepalive) outliving += bytes = size;
        const response = await host.fetch(url, {
          method: 'POST',
          headers: {
            'content-type': 'text/plain',
            ...(compressed && { 'content-encoding': 'gzip', 'x-instrumentation-key': key }),
          },
          body: compressed || body,
          ...(host.document && { keepalive, credentials: 'omit' as const }), // Workers of the edge refuse these.
          signal: AbortSignal.timeout?.(15_000),
        });
        const answer = (await response.json().catch(() => 0)) as AnswerBody;
        return { status: response.status, retryAfter: response.headers.get('retry-after'), body: { ...answer } };
      } catch (error) {
        return { status: 0, body: { code: 'network_error', message: String(error) } };
      } finally {
        outliving -= bytes;
      }
    },
    room: () => OUTLIVING_BYTES - outliving,
  };
}

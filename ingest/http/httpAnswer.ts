import type { HttpResponse } from 'uWebSockets.js';
import type { ReceiverError } from '../../schemas/errors.ts';
import { failureAnswer, statusLine, type ReceiverAnswer } from '../answers.ts';
import { CODINGS_READ } from '../events/decompress.ts';
import { allowOrigin } from './cors.ts';

/** An answer with its headers. */
export interface HttpAnswer {
  status: number;
  body: string;
  /** Absent: JSON. */
  type?: string;
  headers?: Readonly<Record<string, string>>;
  /** For callers without a page only: no page may read it. */
  private?: true;
}

/** How to send an answer. */
export interface Sending {
  origin: string | undefined;
  /** Answer HEAD: the headers alone. */
  headOnly?: boolean;
  /** Close the connection afterwards. */
  last?: boolean;
}

/** Headers by status and code, as RFC 9110 §11.6.1, §12.5.3 and §10.2.3 want them. */
export function withHeaders(answer: ReceiverAnswer, more: Readonly<Record<string, string>> = {}): HttpAnswer {
  const { status, body, code, retryAfterSeconds } = answer;
  if (status < 400) return answer;
  const headers: Record<string, string> = { ...more };
  if (retryAfterSeconds !== undefined) headers['Retry-After'] = String(retryAfterSeconds);
  if (code === 'metrics_token_wrong') headers['WWW-Authenticate'] = 'Bearer realm="spor"';
  else if (status === 401) headers['WWW-Authenticate'] = 'ApiKey realm="spor", header="X-Instrumentation-Key"';
  if (code === 'encoding_unsupported') headers['Accept-Encoding'] = CODINGS_READ;
  return { status, body, headers };
}

export function httpFailure(error: ReceiverError, more?: Readonly<Record<string, string>>): HttpAnswer {
  return withHeaders(failureAnswer(error), more);
}

export function sendAnswer(response: HttpResponse, reply: HttpAnswer, { origin, headOnly, last }: Sending): void {
  const { status, body, type = 'application/json', headers } = reply;
  response.cork(() => {
    response.writeStatus(statusLine(status));
    if (status !== 204) response.writeHeader('Content-Type', type);
    if (!reply.private) allowOrigin(response, origin);
    if (headers) for (const [name, value] of Object.entries(headers)) response.writeHeader(name, value);
    if (status !== 204 && !headOnly) response.end(body, last);
    else if (last) response.end('', true);
    else {
      // endWithoutBody with any argument does not count as an answer in this binary, and ends the process.
      if (headOnly) response.writeHeader('Content-Length', String(Buffer.byteLength(body)));
      response.endWithoutBody();
    }
  });
}

/**
 * Send an answer and close, without serving another request of the connection.
 *
 * The answer is sent in the next turn of the event loop. Until then uWebSockets has an open request, and closes the
 * connection at the first byte of another one. So the sender gets the answer, or nothing at all.
 */
export function sendLast(response: HttpResponse, reply: HttpAnswer, sending: Sending): void {
  let open = true;
  response.onAborted(() => (open = false));
  setImmediate(() => {
    if (open) sendAnswer(response, reply, { ...sending, last: true });
  });
}

import type { HttpRequest, HttpResponse, TemplatedApp } from 'uWebSockets.js';
import { ReceiverError } from '../../schemas/errors.ts';
import { failureAnswer, statusLine } from '../answers.ts';
import { allowOrigin } from './cors.ts';

/** Values of the headers that frame a body (RFC 9112 §6), in their order. */
export interface FramingHeaders {
  lengths: string[];
  transferEncodings: string[];
}

/** The reason why the end of a body is uncertain; undefined if it is certain. */
export function framingFault({ lengths, transferEncodings }: FramingHeaders): string | undefined {
  if (lengths.length > 1) return 'Content-Length is given twice';
  if (transferEncodings.length > 1) return 'Transfer-Encoding is given twice';
  const [length] = lengths;
  const [transferEncoding] = transferEncodings;
  if (length !== undefined && transferEncoding !== undefined)
    return 'Content-Length and Transfer-Encoding exclude each other';
  if (length !== undefined && !/^\d{1,15}$/.test(length)) return 'Content-Length is not a number';
  if (transferEncoding !== undefined && transferEncoding.toLowerCase() !== 'chunked')
    return 'Transfer-Encoding is not "chunked"';
  return undefined;
}

/**
 * Answer 400 and close, without serving another request of the connection.
 *
 * The answer is sent in the next turn of the event loop. Until then uWebSockets has an open request, and closes the
 * connection at the first byte of another one. So the sender gets the answer, or nothing at all.
 */
export function refuseFraming(response: HttpResponse, fault: string, origin?: string): void {
  let open = true;
  response.onAborted(() => (open = false));
  const message = `${fault}. Send the body with one Content-Length, or chunked.`;
  const { status, body } = failureAnswer(new ReceiverError('body_invalid', message));
  setImmediate(() => {
    if (!open) return;
    response.cork(() => {
      response.writeStatus(statusLine(status)).writeHeader('Content-Type', 'application/json');
      if (origin !== undefined) allowOrigin(response, origin);
      response.end(body, true);
    });
  });
}

type Handler = (response: HttpResponse, request: HttpRequest) => void;

/** Routes of an app, apart from the one that takes events. */
export type Routes = Record<'get' | 'head' | 'options' | 'any', (pattern: string, handler: Handler) => void>;

/** Routes that refuse a body whose end is uncertain; `onFault` counts it. */
export function framedRoutes(app: TemplatedApp, onFault: () => void): Routes {
  const framed =
    (method: keyof Routes) =>
    (pattern: string, handler: Handler): void => {
      app[method](pattern, (response, request) => {
        const fault = framingFault(framingHeaders(request));
        if (fault === undefined) return handler(response, request);
        onFault();
        refuseFraming(response, fault);
      });
    };
  return { get: framed('get'), head: framed('head'), options: framed('options'), any: framed('any') };
}

function framingHeaders(request: HttpRequest): FramingHeaders {
  const found: FramingHeaders = { lengths: [], transferEncodings: [] };
  request.forEach((name, value) => {
    if (name === 'content-length') found.lengths.push(value);
    if (name === 'transfer-encoding') found.transferEncodings.push(value);
  });
  return found;
}

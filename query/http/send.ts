import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Reply } from './route.ts';

/** Time without progress after which a reader counts as dead. */
const STALLED_MS = 60_000;
/** Events after which a full response is worth another look. */
const ENDS = ['drain', 'close', 'error'] as const;

/**
 * Sends an answer; pieces are produced as the caller reads them.
 * @throws errors of the body; before the first piece nothing is sent (`response.headersSent` is false)
 */
export async function send(
  request: IncomingMessage,
  response: ServerResponse,
  { status = 200, headers, body = '' }: Reply,
  options: { last: boolean },
): Promise<void> {
  const whole = typeof body === 'string' || body instanceof Uint8Array ? body : undefined;
  const pieces = whole === undefined ? (body as AsyncIterable<string | Uint8Array>)[Symbol.asyncIterator]() : undefined;
  try {
    const first = await pieces?.next();
    if (response.destroyed) return;
    // The connection would take an unread body for the next request.
    const close = options.last || !request.complete;
    response.writeHead(status, {
      ...(whole === undefined || status === 204 || status === 304
        ? {}
        : { 'content-length': Buffer.byteLength(whole) }),
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      ...headers,
      ...(close ? { connection: 'close' } : {}),
    });
    response.setTimeout(STALLED_MS, () => response.destroy());
    if (request.method === 'HEAD' || pieces === undefined) {
      response.end(request.method === 'HEAD' ? undefined : whole);
      return;
    }
    for (let piece = first!; !piece.done; piece = await pieces.next()) {
      if (!response.write(piece.value)) await taken(response);
      if (response.destroyed) return;
    }
    response.end();
  } finally {
    await pieces?.return?.();
  }
}

/** Resolves when the response accepts more bytes, or the caller has left, with or without an error. */
function taken(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const settled = (): void => {
      for (const event of ENDS) response.off(event, settled);
      resolve();
    };
    for (const event of ENDS) response.on(event, settled);
  });
}

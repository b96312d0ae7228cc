import type { IncomingMessage, ServerResponse } from 'node:http';
import { compressed, mayBeCompressed, type Compressions } from './compression.ts';
import type { Reply } from './route.ts';

/** Time without progress after which a reader counts as dead. */
const STALLED_MS = 60_000;
/** Events after which a full response is worth another look. */
const ENDS = ['drain', 'close', 'error'] as const;

type Pieces = AsyncIterator<string | Uint8Array>;

/**
 * Sends an answer; pieces are produced as the caller reads them, and compressed if the caller wants it.
 * @throws errors of the body; before the first piece nothing is sent (`response.headersSent` is false)
 */
export async function send(
  request: IncomingMessage,
  response: ServerResponse,
  reply: Reply,
  { last, compressions }: { last: boolean; compressions: Compressions },
): Promise<void> {
  const { status = 200, body = '' } = reply;
  const whole = typeof body === 'string' || body instanceof Uint8Array ? body : undefined;
  let pieces: Pieces | undefined =
    whole === undefined ? (body as AsyncIterable<string | Uint8Array>)[Symbol.asyncIterator]() : undefined;
  let compression: ReturnType<Compressions['begin']>;
  try {
    const first = await pieces?.next();
    if (response.destroyed) return;
    compression = compressions.begin(request, reply);
    // The connection would take an unread body for the next request.
    const close = last || !request.complete;
    const headers: Record<string, string> = { ...lengthOf(whole, status), ...COMMON, ...reply.headers };
    if (mayBeCompressed(reply)) headers.vary = 'accept-encoding';
    if (compression) {
      headers['content-encoding'] = compression.coding;
      delete headers['content-length'];
    }
    response.writeHead(status, { ...headers, ...(close ? { connection: 'close' } : {}) });
    response.setTimeout(STALLED_MS, () => response.destroy());
    if (request.method === 'HEAD' || (!pieces && !compression)) {
      response.end(request.method === 'HEAD' ? undefined : whole);
      return;
    }
    let rest = continued(first ?? { value: whole! }, pieces);
    if (compression) rest = compressed(rest, compression.coding);
    pieces = rest;
    for await (const piece of rest) {
      if (!response.write(piece)) await taken(response);
      if (response.destroyed) return;
    }
    response.end();
  } finally {
    compression?.end();
    await pieces?.return?.();
  }
}

const COMMON = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' };

function lengthOf(whole: string | Uint8Array | undefined, status: number): Record<string, string> {
  if (whole === undefined || status === 204 || status === 304) return {};
  return { 'content-length': String(Buffer.byteLength(whole)) };
}

/** The first piece and those after it, which are released at the end. */
async function* continued(
  first: { value: string | Uint8Array; done?: boolean } | IteratorResult<string | Uint8Array>,
  pieces: Pieces | undefined,
): AsyncGenerator<string | Uint8Array> {
  try {
    for (let piece: typeof first | undefined = first; piece && !piece.done; piece = await pieces?.next())
      yield piece.value as string | Uint8Array;
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

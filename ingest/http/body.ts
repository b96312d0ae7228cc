import type { HttpResponse } from 'uWebSockets.js';
import { ReceiverError } from '../../schemas/errors.ts';
import type { ByteBudget } from '../byteBudget.ts';

export interface BodyOptions {
  contentLength: number | undefined;
  limit: number;
  budget: ByteBudget;
}

/** A body being read; `cancel` releases its bytes when the sender disconnects. */
export interface BodyReading {
  cancel(): void;
}

/**
 * Read a request body within the byte budget.
 * A Content-Length over the limit is rejected at once. Bytes are charged as they arrive, so that a slow sender holds only
 * the bytes it has sent. `done` is called once, with the body (valid only during the call) or the error.
 */
export function readBody(
  response: HttpResponse,
  { contentLength = 0, limit, budget }: BodyOptions,
  done: (body: Buffer | ReceiverError) => void,
): BodyReading {
  let chunks: Buffer[] = [];
  let held = 0;
  let ended = false;

  const end = (body: Buffer | ReceiverError): void => {
    ended = true;
    budget.release(held);
    held = 0;
    chunks = []; // the closure lives until the answer
    done(body);
  };

  response.onData((chunk, isLast) => {
    if (ended) return;
    const bytes = chunk.byteLength;
    if (held + bytes > limit) return end(tooLarge(held + bytes, limit, 'or more'));
    if (isLast && chunks.length === 0) return end(Buffer.from(chunk));
    if (!budget.take(bytes)) return end(overloaded());
    held += bytes;
    // uWebSockets frees the chunk after this call.
    chunks.push(Buffer.from(chunk.slice(0)));
    if (isLast) end(Buffer.concat(chunks));
  });

  if (contentLength > limit) end(tooLarge(contentLength, limit, 'long'));
  else if (!budget.fits(contentLength)) end(overloaded());
  return {
    cancel: () => {
      ended = true;
      budget.release(held);
      held = 0;
    },
  };
}

function tooLarge(bytes: number, limit: number, qualifier: string): ReceiverError {
  return new ReceiverError(
    'body_too_large',
    `The body is ${bytes} bytes ${qualifier}; at most ${limit} are accepted. Send smaller batches.`,
  );
}

function overloaded(): ReceiverError {
  return new ReceiverError('overloaded', 'The receiver has too many bytes in flight. Send again later.', {
    retryAfterSeconds: 1,
  });
}

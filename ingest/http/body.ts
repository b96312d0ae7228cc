import type { HttpResponse } from 'uWebSockets.js';
import { ReceiverError } from '../../schemas/errors.ts';
import type { ByteBudget } from '../byteBudget.ts';

export interface BodyOptions {
  contentLength: number | undefined;
  limit: number;
  budget: ByteBudget;
}

/** A body being read; `cancel` gives back what it holds when the sender goes away. */
export interface BodyReading {
  cancel(): void;
}

/**
 * Reads a request body: refused by its Content-Length before a byte is kept, then charged to the budget as it comes, so that
 * a sender who announces much and sends little holds little. `done` is called once, with the body (valid only during the
 * call) or why there is none.
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
    chunks = []; // this closure lives until the answer
    done(body);
  };

  response.onData((chunk, isLast) => {
    if (ended) return;
    const bytes = chunk.byteLength;
    if (held + bytes > limit) return end(tooLarge(held + bytes, limit, 'or more'));
    if (isLast && chunks.length === 0) return end(Buffer.from(chunk));
    if (!budget.take(bytes)) return end(overloaded());
    held += bytes;
    // The chunk's memory is taken back after this call.
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

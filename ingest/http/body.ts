import type { HttpResponse } from 'uWebSockets.js';
import { ReceiverError } from '../../schemas/errors.ts';
import type { ByteBudget } from '../byteBudget.ts';

export interface BodyOptions {
  contentLength: number | undefined;
  limit: number;
  budget: ByteBudget;
  /** Tenant of the key in the header. */
  tenantId: string | undefined;
}

const FIRST_BYTES = 1_024;

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
  { contentLength = 0, limit, budget, tenantId }: BodyOptions,
  done: (body: Buffer | ReceiverError) => void,
): BodyReading {
  /** Room for the bytes so far. A piece of its own for each chunk would take 300 bytes for one. */
  let room: Buffer = Buffer.alloc(0);
  let held = 0;
  let ended = false;

  const end = (body: Buffer | ReceiverError): void => {
    ended = true;
    budget.release(held, tenantId);
    held = 0;
    room = Buffer.alloc(0); // the closure lives until the answer
    done(body);
  };

  response.onData((chunk, isLast) => {
    if (ended) return;
    const bytes = chunk.byteLength;
    if (held + bytes > limit) return end(tooLarge(held + bytes, limit, 'or more'));
    if (isLast && held === 0) return end(Buffer.from(chunk));
    if (!budget.take(bytes, tenantId)) return end(overloaded());
    // uWebSockets frees the chunk after this call.
    room = withRoom(room, held, held + bytes);
    room.set(new Uint8Array(chunk), held);
    held += bytes;
    if (isLast) end(room.subarray(0, held));
  });

  if (contentLength > limit) end(tooLarge(contentLength, limit, 'long'));
  else if (!budget.fits(contentLength, tenantId)) end(overloaded());
  return {
    cancel: () => {
      ended = true;
      budget.release(held, tenantId);
      held = 0;
      room = Buffer.alloc(0);
    },
  };
}

/** A buffer with the bytes so far and room for more; it doubles, so that many small chunks cost little. */
function withRoom(buffer: Buffer, held: number, bytes: number): Buffer {
  if (bytes <= buffer.length) return buffer;
  const grown = Buffer.allocUnsafeSlow(Math.max(bytes, 2 * buffer.length, FIRST_BYTES));
  buffer.copy(grown, 0, 0, held);
  return grown;
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

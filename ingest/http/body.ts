import type { HttpResponse } from 'uWebSockets.js';
import { ReceiverError } from '../../schemas/errors.ts';
import type { ByteBudget } from '../byteBudget.ts';
import type { SlowBodies, SlowBody } from './slowBodies.ts';

export interface BodyOptions {
  /** Undefined for a chunked body. */
  contentLength: number | undefined;
  limit: number;
  budget: ByteBudget;
  slowBodies: SlowBodies;
  /** Tenant of the key in the header. */
  tenantId: string | undefined;
  /** Why the request is refused by its head. */
  refusal?: ReceiverError | undefined;
}

const FIRST_BYTES = 1_024;

/** A body being read; `cancel` releases its bytes when the sender disconnects. */
export interface BodyReading {
  cancel(): void;
}

/**
 * Read a request body within the byte budget, and within the patience for slow senders.
 * A Content-Length over the limit is rejected at once. Bytes are charged as they arrive, so that a slow sender holds only
 * the bytes it has sent. `done` is called once, with the body (valid only during the call) or the error.
 *
 * A refused chunked body is dropped up to its end first, because the answer closes the connection.
 */
export function readBody(
  response: HttpResponse,
  { contentLength, limit, budget, slowBodies, tenantId, refusal }: BodyOptions,
  done: (body: Buffer | ReceiverError) => void,
): BodyReading {
  const chunked = contentLength === undefined;
  /** Room for the bytes so far. A piece of its own for each chunk would take 300 bytes for one. */
  let room: Buffer = Buffer.alloc(0);
  let held = 0;
  let dropped = 0;
  let error: ReceiverError | undefined;
  let ended = false;

  const release = (): void => {
    budget.release(held, tenantId);
    held = 0;
    room = Buffer.alloc(0); // the closure lives until the answer
  };
  const end = (body: Buffer | ReceiverError): void => {
    ended = true;
    slowBodies.delete(slow);
    release();
    done(body);
  };
  const refuse = (why: ReceiverError): void => {
    if (!chunked) return end(why);
    error = why;
    release();
  };
  const startedMs = slowBodies.nowMs;
  const giveUp = (fault: string): void =>
    end(error ?? new ReceiverError('body_timeout', `${fault}. Send smaller batches, or compress them.`));
  const slow: SlowBody = { startedMs, heardMs: startedMs, response, giveUp };

  response.onData((chunk, isLast) => {
    if (ended) return;
    const bytes = chunk.byteLength;
    if (!isLast) slow.heardMs = slowBodies.nowMs;
    if (!error && held + bytes > limit) refuse(tooLarge(held + bytes, limit, 'or more'));
    if (!error && !ended) {
      if (isLast && held === 0) return end(Buffer.from(chunk));
      if (budget.take(bytes, tenantId)) {
        // uWebSockets frees the chunk after this call.
        room = withRoom(room, held, held + bytes);
        room.set(new Uint8Array(chunk), held);
        held += bytes;
        if (isLast) end(room.subarray(0, held));
      } else refuse(overloaded());
    }
    if (ended || !error) return;
    dropped += bytes;
    if (isLast || dropped > limit) end(error);
  });

  if (refusal) refuse(refusal);
  else if (contentLength !== undefined && contentLength > limit) end(tooLarge(contentLength, limit, 'long'));
  else if (!budget.fits(contentLength ?? 0, tenantId)) refuse(overloaded());
  if (!ended) slowBodies.add(slow);
  return {
    cancel: () => {
      ended = true;
      slowBodies.delete(slow);
      release();
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

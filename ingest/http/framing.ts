import { ReceiverError } from '../../schemas/errors.ts';

/** Values of the headers that frame a body (RFC 9112 §6), in their order. */
export interface FramingHeaders {
  lengths: string[];
  transferEncodings: string[];
}

/**
 * The reason why the end of a body is uncertain; undefined if it is certain.
 *
 * A chunked body is certain enough for an answer, and the last of its connection: uWebSockets takes the extension of a
 * chunk for digits of its size, and a trailer for the next request.
 */
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

export function framingError(fault: string): ReceiverError {
  return new ReceiverError('body_invalid', `${fault}. Send the body with one Content-Length, or chunked.`);
}

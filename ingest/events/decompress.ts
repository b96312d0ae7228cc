import {
  brotliDecompressSync,
  constants,
  gunzipSync,
  inflateRawSync,
  inflateSync,
  zstdDecompressSync,
  type InputType,
} from 'node:zlib';
import { ReceiverError } from '../../schemas/errors.ts';

/** Content codings of a request body (RFC 9110 §8.4.1); `identity` is none. */
export type Coding = 'identity' | 'gzip' | 'deflate' | 'br' | 'zstd';

const CODINGS = new Map<string, Coding>([
  ['', 'identity'],
  ['identity', 'identity'],
  ['gzip', 'gzip'],
  ['x-gzip', 'gzip'],
  ['deflate', 'deflate'],
  ['br', 'br'],
  ['zstd', 'zstd'],
]);

/**
 * Parse a Content-Encoding header.
 * @throws ReceiverError encoding_unsupported, also for several codings at once
 */
export function codingOf(header: string): Coding {
  const coding = CODINGS.get(header.trim().toLowerCase());
  if (coding) return coding;
  throw new ReceiverError(
    'encoding_unsupported',
    `Content-Encoding ${JSON.stringify(header.slice(0, 40))} is not supported. Use one of gzip, deflate, br and zstd, or none.`,
  );
}

/** Result of zlib with `info: true`; `bytesWritten` counts the used input. */
interface Inflated {
  buffer: Buffer;
  engine: { bytesWritten: number };
}

/**
 * Decompress a body of at most `limit` bytes.
 * Decompression stops at the limit, so that a bomb costs no more than a large body.
 * @throws ReceiverError body_too_large; body_encoding_invalid if the data is damaged, cut short or followed by other bytes
 */
export function decompress(body: Buffer, coding: Coding, limit: number): Buffer {
  if (coding === 'identity') return body;
  let inflated: Inflated;
  try {
    inflated = DECODERS[coding](body, { maxOutputLength: limit, info: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') {
      throw new ReceiverError(
        'body_too_large',
        `The body is over the limit of ${limit} bytes when decompressed. Send smaller batches.`,
      );
    }
    throw new ReceiverError('body_encoding_invalid', `The body is not valid ${coding}: it is damaged or cut short.`);
  }
  if (inflated.engine.bytesWritten !== body.length) {
    throw new ReceiverError(
      'body_encoding_invalid',
      `The body is not one ${coding} stream: it is cut short, or other bytes follow it.`,
    );
  }
  return inflated.buffer;
}

interface DecoderOptions {
  maxOutputLength: number;
  info: true;
}

type Decoder = (body: Buffer, options: DecoderOptions) => Inflated;

/** Largest window of a zstd frame: 8 MiB, as RFC 8878 §3.1.1.1.2 advises. */
const ZSTD_WINDOW = { params: { [constants.ZSTD_d_windowLogMax]: 23 } };

const DECODERS: Record<Exclude<Coding, 'identity'>, Decoder> = {
  gzip: decoder(gunzipSync),
  // Some senders omit the zlib wrapper of RFC 9110 §8.4.1.2. Its first two bytes tell (RFC 1950 §2.2).
  deflate: (body, options) => (hasZlibHeader(body) ? decoder(inflateSync) : decoder(inflateRawSync))(body, options),
  br: decoder(brotliDecompressSync),
  // Node reports no error for a cut zstd frame. A cut frame uses one more byte of input; a whole frame leaves it.
  zstd: (body, options) =>
    decoder(zstdDecompressSync)(Buffer.concat([body, Buffer.of(0)]), { ...options, ...ZSTD_WINDOW }),
};

/** Type of a result with `info: true`, which Node's types omit. */
function decoder(inflate: (body: InputType, options: DecoderOptions) => unknown): Decoder {
  return (body, options) => inflate(body, options) as Inflated;
}

function hasZlibHeader(body: Buffer): boolean {
  return body.length >= 2 && (body[0]! & 0x0f) === 8 && body.readUInt16BE(0) % 31 === 0;
}

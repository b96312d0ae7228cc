import {
  brotliDecompressSync,
  constants,
  gunzipSync,
  inflateRawSync,
  inflateSync,
  zstdDecompressSync,
} from 'node:zlib';
import { ReceiverError } from '../../schemas/errors.ts';
import { zstdFrames } from './zstdFrames.ts';

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

/** The codings that are read, for the header Accept-Encoding of a refusal. */
export const CODINGS_READ = 'gzip, deflate, br, zstd';

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
  try {
    const plain = coding === 'zstd' ? inflateZstd(body, limit) : inflateOne(body, coding, limit);
    if (plain) return plain;
  } catch (error) {
    if (error instanceof ReceiverError) throw error;
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(limit);
    throw new ReceiverError('body_encoding_invalid', `The body is not valid ${coding}: it is damaged or cut short.`);
  }
  throw new ReceiverError(
    'body_encoding_invalid',
    `The body is not whole ${coding}: it is cut short, or other bytes follow it.`,
  );
}

function tooLarge(limit: number): ReceiverError {
  return new ReceiverError(
    'body_too_large',
    `The body is over the limit of ${limit} bytes when decompressed. Send smaller batches.`,
  );
}

/** Size of the pieces of output. Node allocates each, however short the body. */
const CHUNK_BYTES = 65_536;

/** Inflate gzip with all its members, deflate or br. Undefined if other bytes follow. */
function inflateOne(body: Buffer, coding: 'gzip' | 'deflate' | 'br', limit: number): Buffer | undefined {
  const options = { maxOutputLength: limit, chunkSize: CHUNK_BYTES, info: true };
  const { buffer, engine } = DECODERS[coding](body, options, limit) as unknown as Inflated;
  return engine.bytesWritten === body.length ? buffer : undefined;
}

const DECODERS: Record<'gzip' | 'deflate' | 'br', (body: Buffer, options: object, limit: number) => object> = {
  gzip: (body, options) => gunzipSync(body, options),
  // Some senders omit the zlib wrapper of RFC 9110 §8.4.1.2. Its first two bytes tell (RFC 1950 §2.2).
  deflate: (body, options) => (hasZlibHeader(body) ? inflateSync(body, options) : inflateRawSync(body, options)),
  br: (body, options, limit) => brotliDecompressSync(withSmallWindow(body, limit), options),
};

function hasZlibHeader(body: Buffer): boolean {
  return body.length >= 2 && (body[0]! & 0x0f) === 8 && body.readUInt16BE(0) % 31 === 0;
}

/**
 * A brotli body with the smallest window that holds `limit` bytes.
 *
 * The decoder fills its window before it returns a byte, so that 26 bytes cost 16 MiB and 80 ms. Up to the limit, a window
 * above it decodes to the same bytes. Windows of 18 to 24 bits have codes of four bits (RFC 7932 §9.1).
 */
function withSmallWindow(body: Buffer, limit: number): Buffer {
  const code = body.length > 0 ? body[0]! & 0x0f : 0;
  const bits = 17 + (code >> 1);
  let enough = 18;
  while ((1 << enough) - 16 < limit) enough++;
  if ((code & 1) === 0 || code === 1 || bits <= enough) return body;
  const copy = Buffer.from(body);
  copy[0] = (body[0]! & 0xf0) | ((enough - 17) << 1) | 1;
  return copy;
}

/** Most frames with data: each takes a decoder of its own. */
const MAX_FRAMES = 256;
/** Largest window of a zstd frame: 8 MiB, as RFC 8878 §3.1.1.1.2 advises. */
const ZSTD_WINDOW = { params: { [constants.ZSTD_d_windowLogMax]: 23 } };

/** Inflate all frames of a zstd body. Undefined if they are not whole, or other bytes follow. */
function inflateZstd(body: Buffer, limit: number): Buffer | undefined {
  const frames = zstdFrames(body)?.filter(({ empty }) => !empty);
  if (!frames || frames.length > MAX_FRAMES) return undefined;
  const parts: Buffer[] = [];
  let left = limit;
  for (const { bytes, contentSize } of frames) {
    if (contentSize !== undefined && contentSize > left) throw tooLarge(limit);
    // More room than data: a decoder that fills its output exactly is called again, and fails.
    const chunkSize = Math.max(constants.Z_MIN_CHUNK, (contentSize ?? left) + 1);
    const part = zstdDecompressSync(bytes, { ...ZSTD_WINDOW, maxOutputLength: Math.max(1, left), chunkSize });
    left -= part.length;
    if (left < 0) throw tooLarge(limit);
    parts.push(part);
  }
  return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
}

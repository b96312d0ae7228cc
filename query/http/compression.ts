import type { IncomingMessage } from 'node:http';
import type { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { constants, createBrotliCompress, createGzip, createZstdCompress } from 'node:zlib';
import type { Reply } from './route.ts';

/** Codings of answers, the cheapest for its result first. Fast levels, and at most a few MiB of memory each. */
const ENCODERS = {
  zstd: () => createZstdCompress({ params: { [constants.ZSTD_c_compressionLevel]: 3 } }),
  br: () =>
    createBrotliCompress({ params: { [constants.BROTLI_PARAM_QUALITY]: 4, [constants.BROTLI_PARAM_LGWIN]: 18 } }),
  gzip: () => createGzip({ level: 5 }),
} satisfies Record<string, () => Transform>;

export type AnswerCoding = keyof typeof ENCODERS;

const CODINGS = Object.keys(ENCODERS) as AnswerCoding[];

/** Answers that are compressed at once; others leave as they are. */
const MOST = 4;
/** Smaller answers gain nothing. */
const MIN_BYTES = 1_024;
/** Types that become smaller. Parquet is compressed already, and an event stream must not wait in an encoder. */
const TYPES = /^(application\/(json|x-ndjson|openapi\+json|vnd\.apache\.arrow\.stream)|text\/(?!event-stream))\b/;

/** Bounds the answers that are compressed at once. */
export class Compressions {
  #running = 0;

  /**
   * The coding of an answer, if the caller wants one; call `end` when it is sent.
   *
   * HTTP/1.0 ends an answer without a length by closing, so that half of one would look whole.
   */
  begin(request: IncomingMessage, reply: Reply): { coding: AnswerCoding; end: () => void } | undefined {
    if (!mayBeCompressed(reply) || request.method === 'HEAD' || request.httpVersionMinor === 0) return undefined;
    const coding = acceptedCoding(request.headers['accept-encoding']);
    if (coding === undefined || this.#running >= MOST) return undefined;
    this.#running++;
    let ended = false;
    const end = (): void => {
      if (!ended) this.#running--;
      ended = true;
    };
    return { coding, end };
  }
}

/** Whether an answer's bytes depend on `Accept-Encoding`. */
export function mayBeCompressed({ headers, body, status = 200 }: Reply): boolean {
  if (body === undefined || status === 204 || status === 304) return false;
  if (headers['content-encoding'] !== undefined || !TYPES.test(headers['content-type'] ?? '')) return false;
  const length = typeof body === 'string' || body instanceof Uint8Array ? body.length : headers['content-length'];
  return length === undefined || Number(length) >= MIN_BYTES;
}

/** The coding that a caller likes best (RFC 9110 §12.5.3); undefined: none. */
export function acceptedCoding(header: string | undefined): AnswerCoding | undefined {
  const weights = new Map<string, number>();
  for (const part of (header ?? '').toLowerCase().split(',').slice(0, 32)) {
    const [name = '', ...parameters] = part.split(';').map((text) => text.trim());
    const weight = parameters.find((text) => text.startsWith('q='))?.slice(2);
    if (name !== '') weights.set(name === 'x-gzip' ? 'gzip' : name, weight === undefined ? 1 : Number(weight));
  }
  const weightOf = (coding: string): number => weights.get(coding) ?? weights.get('*') ?? 0;
  const best = Math.max(...CODINGS.map(weightOf).filter((weight) => weight <= 1));
  // A caller may like its bytes as they are best.
  if (!(best > 0) || (weights.get('identity') ?? 0) > best) return undefined;
  return CODINGS.find((coding) => weightOf(coding) === best);
}

/**
 * Compresses pieces as they are read.
 * @throws errors of the pieces
 */
export async function* compressed(
  pieces: AsyncIterable<string | Uint8Array>,
  coding: AnswerCoding,
): AsyncGenerator<Uint8Array> {
  const encoder: Transform = ENCODERS[coding]();
  const done = pipeline(pieces, encoder).catch(() => undefined); // reading the encoder throws it
  try {
    yield* encoder as AsyncIterable<Uint8Array>;
  } finally {
    encoder.destroy();
    await done; // the pieces are released then
  }
}

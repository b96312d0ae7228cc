import {
  brotliCompressSync,
  brotliDecompressSync,
  constants,
  deflateRawSync,
  deflateSync,
  gzipSync,
  zstdCompressSync,
} from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decompress, type Coding } from '../../ingest/events/decompress.ts';
import { LIMITS } from '../../schemas/limits.ts';
import { ReceiverError } from '../../schemas/errors.ts';

const LIMIT: number = LIMITS.bodyBytes;

/** Lengths near everything that a decoder counts in: pieces of 16 KiB and 64 KiB, blocks of 128 KiB, the limit. */
const aLength = fc
  .tuple(fc.constantFrom(0, 1, 100, 16_384, 65_536, 131_072, LIMIT), fc.nat(32), fc.integer({ min: -2, max: 2 }))
  .map(([unit, times, beside]) => Math.min(LIMIT, Math.max(0, unit * times + beside)));

/** Repeated text, random bytes, or some of each: blocks that are stored, repeated or compressed. */
function aPlain(length: number, kind: number, seed: number): Buffer {
  const plain = Buffer.alloc(length, kind === 0 ? 'a' : '{"type":"Search","phrase":"shoes"},');
  if (kind < 2) return plain;
  let state = seed | 1;
  for (let at = 0; at < length; at += kind === 2 ? 1 : 7) {
    state = Math.imul(state, 1_664_525) + 1_013_904_223;
    plain[at] = state >>> 24;
  }
  return plain;
}

const plain = fc.tuple(aLength, fc.nat(3), fc.nat()).map((facts) => aPlain(...facts));

/** A skippable frame (RFC 8878 §3.1.2). */
function skippable(bytes: number): Buffer {
  const frame = Buffer.alloc(8 + bytes, 0x28);
  frame.writeUInt32LE(0x184d2a50 + (bytes % 16), 0);
  frame.writeUInt32LE(bytes, 4);
  return frame;
}

const zstdParams = fc
  .record({ size: fc.boolean(), checksum: fc.boolean(), level: fc.constantFrom(-5, 1, 3, 19), window: fc.nat(13) })
  .map(({ size, checksum, level, window }) => ({
    [constants.ZSTD_c_contentSizeFlag]: size ? 1 : 0,
    [constants.ZSTD_c_checksumFlag]: checksum ? 1 : 0,
    [constants.ZSTD_c_compressionLevel]: level,
    ...(window < 10 ? {} : { [constants.ZSTD_c_windowLog]: window }),
  }));

/** Cuts bytes into parts at fractions. */
function cut(bytes: Buffer, fractions: readonly number[]): Buffer[] {
  const ends = [...fractions.map((part) => Math.floor(part * bytes.length)), bytes.length].sort((a, b) => a - b);
  return ends.map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end));
}
const cuts = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 6 });

function codeOf(body: Buffer, coding: Coding, limit = LIMIT): string {
  try {
    decompress(body, coding, limit);
    return 'ok';
  } catch (error) {
    if (error instanceof ReceiverError) return error.code;
    throw error;
  }
}

/** A limit that bytes just exceed, if they can. */
function below(bytes: Buffer): number {
  return Math.max(1, bytes.length - 1);
}

describe('a compressed body', () => {
  it('in zstd: of any length, with any frames', () => {
    const property = fc.property(plain, cuts, zstdParams, fc.nat(40), (bytes, fractions, params, skip) => {
      const frames = cut(bytes, fractions).map((part) => zstdCompressSync(part, { params }));
      const body = Buffer.concat([skippable(skip), ...frames.flatMap((frame) => [frame, skippable(0)])]);
      expect(decompress(body, 'zstd', LIMIT).equals(bytes)).toBe(true);
      expect(decompress(Buffer.concat(frames), 'zstd', bytes.length || 1).equals(bytes)).toBe(true);
      expect(codeOf(body, 'zstd', below(bytes))).toBe(bytes.length > 1 ? 'body_too_large' : 'ok');
    });
    fc.assert(property, { numRuns: 40, seed: 17 });
  });

  it('in gzip: of any length, with any members', () => {
    const property = fc.property(plain, cuts, fc.nat(9), (bytes, fractions, level) => {
      const body = Buffer.concat(cut(bytes, fractions).map((part) => gzipSync(part, { level })));
      expect(decompress(body, 'gzip', LIMIT).equals(bytes)).toBe(true);
      expect(codeOf(body, 'gzip', below(bytes))).toBe(bytes.length > 1 ? 'body_too_large' : 'ok');
    });
    fc.assert(property, { numRuns: 40, seed: 17 });
  });

  it('in deflate or br: of any length, with any window', () => {
    const property = fc.property(plain, fc.integer({ min: 9, max: 15 }), fc.nat(14), (bytes, windowBits, window) => {
      expect(decompress(deflateSync(bytes, { windowBits }), 'deflate', LIMIT).equals(bytes)).toBe(true);
      expect(decompress(deflateRawSync(bytes, { windowBits }), 'deflate', LIMIT).equals(bytes)).toBe(true);
      const params = { [constants.BROTLI_PARAM_LGWIN]: 10 + window, [constants.BROTLI_PARAM_QUALITY]: 5 };
      const body = brotliCompressSync(bytes, { params });
      expect(decompress(body, 'br', LIMIT).equals(bytes)).toBe(true);
      expect(brotliDecompressSync(body).equals(bytes)).toBe(true); // the body itself is not changed
      expect(codeOf(body, 'br', below(bytes))).toBe(bytes.length > 1 ? 'body_too_large' : 'ok');
    });
    fc.assert(property, { numRuns: 40, seed: 17 });
  });

  it('at the published limit: is taken whole, and refused one byte above', () => {
    const whole = Buffer.alloc(LIMIT, ' ');
    const compressors = { gzip: gzipSync, deflate: deflateSync, br: brotliCompressSync, zstd: zstdCompressSync };
    for (const [coding, compress] of Object.entries(compressors)) {
      expect(decompress(compress(whole), coding as Coding, LIMIT), coding).toHaveLength(LIMIT);
      expect(codeOf(compress(Buffer.alloc(LIMIT + 1)), coding as Coding), coding).toBe('body_too_large');
    }
  });

  it('cut short, damaged or with bytes behind it: is refused', () => {
    const text = Buffer.from('{"events":[]}'.repeat(50));
    const params = { [constants.ZSTD_c_checksumFlag]: 1 };
    const one = zstdCompressSync(text, { params });
    const body = Buffer.concat([one, skippable(9), one]);
    for (let length = 0; length < body.length; length++) {
      const whole = length === one.length || length === one.length + 17;
      expect(codeOf(body.subarray(0, length), 'zstd'), String(length)).toBe(whole ? 'ok' : 'body_encoding_invalid');
    }
    expect(codeOf(Buffer.concat([body, Buffer.of(0)]), 'zstd')).toBe('body_encoding_invalid');
    const damaged = Buffer.from(one);
    damaged[damaged.length - 1]! ^= 1;
    expect(codeOf(damaged, 'zstd')).toBe('body_encoding_invalid');
    const members = Buffer.concat([gzipSync(text), gzipSync(text)]);
    for (const end of [1, 8, 30]) expect(codeOf(members.subarray(0, -end), 'gzip')).toBe('body_encoding_invalid');
    expect(codeOf(Buffer.concat([members, Buffer.from('junk')]), 'gzip')).toBe('body_encoding_invalid');
  });

  it('that claims more than it has, or more frames than one decoder each can cost: is refused', () => {
    const claims = zstdCompressSync(Buffer.alloc(1_000));
    const sizeAt = 5 + ((claims[4]! & 0x20) === 0 ? 1 : 0);
    claims.writeUInt16LE(40_000, sizeAt);
    expect(codeOf(claims, 'zstd')).toBe('body_encoding_invalid');
    const empty = zstdCompressSync('');
    const many = Buffer.concat([...Array.from({ length: 20_000 }, () => empty), zstdCompressSync('{}')]);
    expect(decompress(many, 'zstd', LIMIT).toString()).toBe('{}');
    expect(codeOf(Buffer.concat(Array.from({ length: 257 }, () => zstdCompressSync('x'))), 'zstd')).toBe(
      'body_encoding_invalid',
    );
  });

  it('in br: decodes no more than twice the limit, whatever window it names', () => {
    const params = { [constants.BROTLI_PARAM_LGWIN]: 24 };
    const bomb = brotliCompressSync(Buffer.alloc(64_000_000), { params });
    const before = process.memoryUsage().rss;
    for (let i = 0; i < 5; i++) expect(codeOf(bomb, 'br')).toBe('body_too_large');
    expect(process.memoryUsage().rss - before).toBeLessThan(2 * LIMIT + 24_000_000); // and far from 64 MB: the process does other things too
  });
});

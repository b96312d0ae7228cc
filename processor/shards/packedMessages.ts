import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import type { StreamMessage } from '../../stream/message.ts';

const FASTEST = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };
const LENGTH_BYTES = 4;

/** A message without its data, as in a pack. */
type Facts = [subject: string, sequence: number, timeMs: number, format: string | null, bytes: number];

/** Compresses messages of one tenant, which are alike. Pure. */
export function packMessages(messages: readonly StreamMessage[]): Buffer {
  const parts = messages.flatMap(({ subject, sequence, timeMs, format, data }) => {
    const facts: Facts = [subject, sequence, timeMs, format ?? null, data.length];
    const head = Buffer.from(JSON.stringify(facts));
    const length = Buffer.alloc(LENGTH_BYTES);
    length.writeUInt32LE(head.length);
    return [length, head, data];
  });
  return zstdCompressSync(Buffer.concat(parts), FASTEST);
}

/** Messages of a pack, in order. Pure. */
export function unpackMessages(pack: Buffer): StreamMessage[] {
  const bytes = zstdDecompressSync(pack);
  const messages: StreamMessage[] = [];
  for (let at = 0; at < bytes.length;) {
    const head = at + LENGTH_BYTES;
    const data = head + bytes.readUInt32LE(at);
    const [subject, sequence, timeMs, format, length] = JSON.parse(bytes.toString('utf8', head, data)) as Facts;
    at = data + length;
    messages.push({ subject, sequence, timeMs, format: format ?? undefined, data: bytes.subarray(data, at) });
  }
  return messages;
}

/** One frame of a zstd body. */
export interface ZstdFrame {
  bytes: Buffer;
  /** Plain length by its header; undefined if the header has none. */
  contentSize: number | undefined;
  /** No block of it has a byte. */
  empty: boolean;
}

const MAGIC = 0xfd2fb528;
const SKIPPABLE_MAGIC = 0x184d2a50;
const DICTIONARY_ID_BYTES = [0, 1, 2, 4];
const CONTENT_SIZE_BYTES = [0, 2, 4, 8];
const RLE_BLOCK = 1;
const RESERVED_BLOCK = 3;

/**
 * Cuts a zstd body into its frames, without skippable ones (RFC 8878 §3.1).
 *
 * Node decodes only the first frame of a body, and takes a cut frame for a whole one. Frame and block headers tell where
 * each frame ends. Undefined: the body is no frame, is cut short, or is followed by other bytes.
 */
export function zstdFrames(body: Buffer): ZstdFrame[] | undefined {
  const frames: ZstdFrame[] = [];
  let at = 0;
  while (at < body.length) {
    const isSkippable = at + 8 <= body.length && (body.readUInt32LE(at) & 0xfffffff0) === SKIPPABLE_MAGIC;
    if (isSkippable) {
      at += 8 + body.readUInt32LE(at + 4);
      continue;
    }
    const end = readFrame(body, at, frames);
    if (end === undefined) return undefined;
    at = end;
  }
  return at === body.length && at > 0 ? frames : undefined;
}

/** Adds the frame at a position. Returns its end, or undefined without a whole frame. */
function readFrame(body: Buffer, start: number, frames: ZstdFrame[]): number | undefined {
  if (start + 5 > body.length || body.readUInt32LE(start) !== MAGIC) return undefined;
  const descriptor = body[start + 4]!;
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const hasChecksum = (descriptor & 0x04) !== 0;
  const sizeFlag = descriptor >> 6;
  const sizeBytes = sizeFlag === 0 && isSingleSegment ? 1 : CONTENT_SIZE_BYTES[sizeFlag]!;
  let at = start + 5 + (isSingleSegment ? 0 : 1) + DICTIONARY_ID_BYTES[descriptor & 0x03]!;
  if (at + sizeBytes > body.length) return undefined;
  const contentSize = contentSizeAt(body, at, sizeBytes);
  at += sizeBytes;
  let plainOrCompressed = 0;
  for (let isLast = false; !isLast;) {
    if (at + 3 > body.length) return undefined;
    const header = body.readUIntLE(at, 3);
    isLast = (header & 1) === 1;
    const type = (header >> 1) & 3;
    if (type === RESERVED_BLOCK) return undefined;
    plainOrCompressed += header >> 3;
    at += 3 + (type === RLE_BLOCK ? 1 : header >> 3);
  }
  if (hasChecksum) at += 4;
  if (at > body.length) return undefined;
  const empty = plainOrCompressed === 0 && !contentSize;
  frames.push({ bytes: body.subarray(start, at), contentSize, empty });
  return at;
}

/** Frame_Content_Size (RFC 8878 §3.1.1.1.4). */
function contentSizeAt(body: Buffer, at: number, bytes: number): number | undefined {
  if (bytes === 0) return undefined;
  if (bytes === 8) return Number(body.readBigUInt64LE(at));
  return body.readUIntLE(at, bytes) + (bytes === 2 ? 256 : 0);
}

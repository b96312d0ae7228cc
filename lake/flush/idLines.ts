import { open } from 'node:fs/promises';

/** Bytes of a line: 32 hexadecimal digits, four hyphens and a newline. */
const LINE_BYTES = 37;
const HYPHENS = [8, 13, 18, 23];
const NEWLINE = 10;
const HYPHEN = 45;
const ID_BYTES = 16;
const LINES_AT_ONCE = 16_384;
const NO_DIGIT = 255;

/** Value of each byte as a hexadecimal digit, in either case. */
const DIGITS = new Uint8Array(256).fill(NO_DIGIT);
for (let digit = 0; digit < 16; digit++) {
  for (const text of [digit.toString(16), digit.toString(16).toUpperCase()]) DIGITS[text.charCodeAt(0)] = digit;
}

/**
 * Reads a file of UUID lines as 16 bytes each.
 *
 * The result is undefined if a line has another form. The file is read piece by piece, because one text would copy a
 * large window's ids several times.
 */
export async function readUuidLines(path: string, lines: number): Promise<Uint8Array | undefined> {
  const file = await open(path, 'r');
  try {
    if ((await file.stat()).size !== lines * LINE_BYTES) return undefined;
    const ids = new Uint8Array(lines * ID_BYTES);
    const piece = Buffer.allocUnsafe(Math.min(lines, LINES_AT_ONCE) * LINE_BYTES);
    for (let line = 0; line < lines; line += LINES_AT_ONCE) {
      const count = Math.min(LINES_AT_ONCE, lines - line);
      for (let have = 0; have < count * LINE_BYTES;) {
        const { bytesRead } = await file.read(piece, have, count * LINE_BYTES - have, line * LINE_BYTES + have);
        if (bytesRead === 0) return undefined;
        have += bytesRead;
      }
      if (!parse(piece, count, ids.subarray(line * ID_BYTES))) return undefined;
    }
    return ids;
  } finally {
    await file.close();
  }
}

function parse(piece: Uint8Array, count: number, into: Uint8Array): boolean {
  let faults = 0;
  let to = 0;
  for (let at = 0; at < count * LINE_BYTES; at += LINE_BYTES) {
    for (const hyphen of HYPHENS) if (piece[at + hyphen] !== HYPHEN) return false;
    if (piece[at + LINE_BYTES - 1] !== NEWLINE) return false;
    for (let from = at; from < at + LINE_BYTES - 1; from += 2) {
      if (piece[from] === HYPHEN) from++;
      const [high, low] = [DIGITS[piece[from]!]!, DIGITS[piece[from + 1]!]!];
      faults |= (high | low) & 0xf0;
      into[to++] = (high << 4) | low;
    }
  }
  return faults === 0;
}

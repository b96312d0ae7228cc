const FINGERPRINTS = 65_535;
/** Factors of MurmurHash3 (public domain, Austin Appleby). */
const [A, B, C, D] = [0x85ebca6b, 0xc2b2ae35, 0xcc9e2d51, 0x1b873593];

/**
 * A number from 1 to 65,535 for the bytes of a range. Readers use 0 for unknown bytes.
 *
 * Equal bytes have equal fingerprints. Of differing ranges, one pair in 65,535 has equal ones too. Four lanes keep the
 * processor busy: docs/performance.md, "Processor, one tenant".
 */
export function contentFingerprint(view: DataView, from: number, end: number): number {
  let a = end - from;
  let b = B;
  let c = C;
  let d = D;
  let at = from;
  for (; at + 16 <= end; at += 16) {
    a = Math.imul(a ^ view.getInt32(at, true), A);
    b = Math.imul(b ^ view.getInt32(at + 4, true), B);
    c = Math.imul(c ^ view.getInt32(at + 8, true), C);
    d = Math.imul(d ^ view.getInt32(at + 12, true), D);
    a ^= d >>> 15;
    c ^= b >>> 13;
  }
  for (; at < end; at++) a = Math.imul(a ^ view.getUint8(at), A) ^ (a >>> 15);
  let hash = mixed(mixed(mixed(mixed(0, a), b), c), d);
  hash ^= hash >>> 16;
  return ((hash >>> 0) % FINGERPRINTS) + 1;
}

function mixed(hash: number, lane: number): number {
  const mix = Math.imul(hash ^ lane, A);
  return mix ^ (mix >>> 15);
}

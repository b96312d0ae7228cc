import type { Random } from './random.ts';

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

/** A UUID version 7 (RFC 9562 §5.7): 48 bits of Unix milliseconds, then 74 random bits, so that ids sort by time. */
export function uuid7(atMs: number, random: Random): string {
  const time = Math.floor(atMs).toString(16).padStart(12, '0');
  const a = random.bits();
  const b = random.bits();
  const c = random.bits();
  const version = 0x7000 | (a & 0x0fff);
  const variant = 0x8000 | ((a >>> 12) & 0x3fff);
  return `${time.slice(0, 8)}-${time.slice(8)}-${hex16(version)}-${hex16(variant)}-${hex16(b >>> 16)}${hex16(b)}${hex16(c)}`;
}

function hex16(value: number): string {
  return HEX[(value >>> 8) & 0xff]! + HEX[value & 0xff]!;
}

/**
 * Create a maker of version 7 UUIDs that sort by creation (RFC 9562 §5.7).
 *
 * The 8 bits after the version count within a millisecond (§6.2 method 1). After 256 ids, the next millisecond is used. The
 * other 66 bits are random.
 * @param random from 0 up to, not including, 1.
 */
export function createUuid7(random: () => number): (ms: number) => string {
  /** Hex digits of `lead` and `bits` random bits, at most 31 in all. */
  const hex = (lead: number, bits: number): string => (((lead + random()) * 2 ** bits) | 0).toString(16);
  let last = 0;
  return (ms) => {
    last = Math.max(last + 1, ms * 256);
    const time = last.toString(16).padStart(14, '0');
    // The leading 1 keeps zeros and is cut off; the leading binary 10 is the variant.
    const tail = hex(1, 24).slice(1) + hex(1, 28).slice(1);
    return (
      time.slice(0, 8) +
      '-' +
      time.slice(8, 12) +
      '-7' +
      time.slice(12) +
      tail[0] +
      '-' +
      hex(2, 14) +
      '-' +
      tail.slice(1)
    );
  };
}

/**
 * Create a maker of version 7 UUIDs that sort by creation (RFC 9562 §5.7).
 *
 * The 8 bits after the version count within a millisecond (§6.2 method 1). After 256 ids, the next millisecond is used. The
 * other 66 bits are random.
 * @param random from 0 up to, not including, 1.
 */
export function createUuid7(random: () => number): (ms: number) => string {
  /** Hex digits of `bits` random bits after a leading 1, which keeps zeros. */
  const hex = (bits: number, lead = 1): string => (((lead + random()) * 2 ** bits) | 0).toString(16);
  let last = 0;
  return (ms) => {
    last = Math.max(last + 1, ms * 256);
    const time = last.toString(16).padStart(14, '0');
    // A leading 1 is cut off; the leading binary 10 is the variant.
    const digits =
      time.slice(0, 12) + 7 + time.slice(12) + hex(4)[1] + hex(14, 2) + hex(24).slice(1) + hex(24).slice(1);
    return digits.replace(/(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
  };
}

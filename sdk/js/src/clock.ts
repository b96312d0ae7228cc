/**
 * A wall clock in ms since 1970 that never runs backwards.
 *
 * If the device's clock is set back, this one continues from its last value. Event times and `sentAt` both come from it. The
 * receiver compares `sentAt` with its own clock and shifts all of them by the same amount. A clock that a page has broken stands
 * still, which that shift corrects too.
 */
export function createClock(wall: () => number): () => number {
  let offset = 0;
  let last = 0;
  return () => {
    const time = wall() + offset;
    if (time > last) last = time;
    else offset += last - time || 0;
    return last;
  };
}

/** True if the times are at most `ms` apart, in either direction: the device's clock may have been ahead. */
export function isNear(one: number, other: number, ms: number): boolean {
  return Math.abs(one - other) < ms;
}

/**
 * A wall clock in ms since 1970 that never runs backwards.
 *
 * If the device's clock is set back, this one continues from its last value. Event times and `sentAt` both come from it. The
 * receiver compares `sentAt` with its own clock and shifts all of them by the same amount.
 */
export function createClock(wall: () => number): () => number {
  let offset = 0;
  let last = 0;
  return () => {
    const time = wall() + offset;
    if (time < last) offset += last - time;
    else last = time;
    return last;
  };
}

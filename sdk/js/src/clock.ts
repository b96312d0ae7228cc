/**
 * A wall clock, ms since 1970, that never runs backwards. When the device's clock is set back, this one goes on from where
 * it was, at the same pace. Event times and `sentAt` come from it alike, so that the receiver, which compares `sentAt`
 * with its own clock, corrects both by the same amount whichever setting was right.
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

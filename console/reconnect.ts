const FIRST_MS = 500;
const LONGEST_MS = 30_000;

/**
 * The pause before a lost connection is tried again, in milliseconds.
 *
 * It doubles up to half a minute. The part by chance keeps many viewers from coming back at the same moment.
 * @param attempt connections lost in a row before this one
 * @param chance between 0 and 1
 */
export function reconnectAfterMs(attempt: number, chance: number): number {
  const longest = Math.min(LONGEST_MS, FIRST_MS * 2 ** attempt);
  return longest / 2 + (chance * longest) / 2;
}

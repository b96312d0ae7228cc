/** Of everything a test waits for, in milliseconds: far beyond a busy machine's worst, since a test that passes never waits for it. */
export const PATIENCE_MS = 120_000;
const PAUSE_MS = 20;

/**
 * Waits until a condition holds, asking again every 20 ms; an error counts as "not yet". There is one limit for all, so that
 * no test depends on how soon something happens: durations are what benches measure.
 * @throws Error with the last error when it does not hold in time.
 */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  let last: unknown;
  while (performance.now() < deadline) {
    try {
      if (await condition()) return;
      last = undefined;
    } catch (error) {
      last = error;
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  throw new Error(`did not come true within ${PATIENCE_MS} ms`, { cause: last });
}

/**
 * Waits until a condition holds, asking again every 20 ms; an error counts as "not yet".
 * @throws Error with the last error when it does not hold in time.
 */
export async function until(condition: () => boolean | Promise<boolean>, withinMs = 10_000): Promise<void> {
  const deadline = Date.now() + withinMs;
  let last: unknown;
  while (Date.now() < deadline) {
    try {
      if (await condition()) return;
      last = undefined;
    } catch (error) {
      last = error;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`did not come true within ${withinMs} ms`, { cause: last });
}

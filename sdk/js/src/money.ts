/**
 * A copy whose numbers have at most four decimals, as the receiver stores them: sums such as 0.1 + 0.2 carry noise beyond,
 * and would be refused.
 */
export function roundNumbers<T extends object>(fields: T): T {
  const copy = { ...fields } as Record<string, unknown>;
  for (const name in copy) {
    const value = copy[name];
    if (typeof value === 'number') copy[name] = +value.toFixed(4);
  }
  return copy as T;
}

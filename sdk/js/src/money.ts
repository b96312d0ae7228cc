/**
 * Copy fields with numbers rounded to four decimals, as the receiver stores them.
 *
 * Sums such as 0.1 + 0.2 have more decimals, and would be rejected.
 */
export function roundNumbers<T extends object>(fields: T): T {
  const copy = { ...fields } as Record<string, unknown>;
  for (const name in copy) {
    const value = copy[name];
    if (typeof value === 'number') copy[name] = +value.toFixed(4);
  }
  return copy as T;
}

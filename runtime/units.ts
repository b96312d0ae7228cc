export const MINUTE_MS = 60_000;
export const HOUR_MS = 3_600_000;
export const DAY_MS = 86_400_000;
export const MIB = 1_048_576;

/** The UTC date of a time in milliseconds since 1970, such as `2026-11-23`. */
export function utcDay(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}

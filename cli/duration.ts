import { UsageError } from './command.ts';

const UNITS: Record<string, number> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/**
 * Parse `90s`, `15m`, `24h` or `7d` into milliseconds; `0s` needs `zero`.
 * @throws UsageError naming the option
 */
export function parseDuration(option: string, text: string, { zero = false } = {}): number {
  const match = /^(\d{1,6})([smhd])$/.exec(text);
  if (!match) throw new UsageError(`${option} ${text} is not a duration: write it like 90s, 15m, 24h or 7d`);
  const ms = Number(match[1]) * UNITS[match[2]!]!;
  if (ms === 0 && !zero) throw new UsageError(`${option} ${text} is no time at all: give at least 1s`);
  return ms;
}

/** A duration in its largest unit: `3 h`. */
export function formatDuration(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  const [unit, size] = Object.entries(UNITS).findLast(([, length]) => ms >= length)!;
  return `${Math.round((ms / size) * 10) / 10} ${unit}`;
}

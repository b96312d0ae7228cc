import { UsageError } from './command.ts';

/**
 * A UTC date given as an option, `2026-11-23`.
 * @throws UsageError naming the option.
 */
export function dateOption(option: string, text: string): string {
  const day = /^\d{4}-\d\d-\d\d$/.test(text) ? new Date(`${text}T00:00:00Z`) : undefined;
  if (day && !Number.isNaN(day.getTime()) && day.toISOString().startsWith(text)) return text;
  throw new UsageError(`${option} ${text} is not a date: write it like 2026-11-23`);
}

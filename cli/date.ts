import { isDate } from '../schemas/dateTime.ts';
import { UsageError } from './command.ts';

/**
 * Check a UTC date, such as `2026-11-23`.
 * @throws UsageError naming the option
 */
export function dateOption(option: string, text: string): string {
  if (isDate(text)) return text;
  throw new UsageError(`${option} ${text} is not a date: write it like 2026-11-23`);
}

/**
 * Check the dates of `--from` and `--to`, both included.
 * @throws UsageError naming the option, or if the last date is before the first
 */
export function dateRange(given: { from?: string; to?: string }): { from?: string; to?: string } {
  const from = given.from === undefined ? undefined : dateOption('--from', given.from);
  const to = given.to === undefined ? undefined : dateOption('--to', given.to);
  if (from !== undefined && to !== undefined && from > to) throw new UsageError(`--from ${from} is after --to ${to}`);
  return { ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }) };
}

import { UsageError } from './command.ts';

/**
 * Parse the number of an option.
 * @throws UsageError naming the option and its range
 */
export function numberOption(
  option: string,
  text: string,
  { min, max, whole = true }: { min: number; max: number; whole?: boolean },
): number {
  const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : NaN;
  if (value >= min && value <= max && (!whole || Number.isInteger(value))) return value;
  throw new UsageError(`${option} ${text} is not a ${whole ? 'whole ' : ''}number from ${min} to ${max}`);
}

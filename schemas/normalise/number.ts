import { isRawNumber, type RawNumber } from './exactNumber.ts';

const PLAIN_DECIMAL = /^-?\d{1,30}(\.\d{1,30})?$/;

/** Read plain decimal text such as "499.50"; undefined for any other text, such as "1.234,50" or "1e3". */
export function plainDecimal(text: string): number | undefined {
  const trimmed = text.trim();
  return PLAIN_DECIMAL.test(trimmed) ? Number(trimmed) : undefined;
}

/**
 * Round to decimal places, halves away from zero.
 * The decimal text is rounded, not the double behind it: 1.00015 becomes 1.0002.
 */
export function roundedDecimal(value: number, places: number): number {
  const text = String(Math.abs(value));
  if (!Number.isFinite(value)) return value;
  if (text.includes('e')) return text.includes('e-') ? 0 : value;
  const rounded = Number(`${Math.round(Number(`${text}e${places}`))}e-${places}`);
  return value < 0 && rounded !== 0 ? -rounded : rounded;
}

/** The nearest double of a number of a JSON text. */
export function nearestDouble(value: number | RawNumber): number {
  return isRawNumber(value) ? Number(value.rawJSON) : value;
}

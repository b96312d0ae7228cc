import { dateTimeMs } from '../dateTime.ts';

/** Test that a text can be stored: no U+0000, no half of a surrogate pair. */
export function isStorableText(text: string): boolean {
  return text.isWellFormed() && !text.includes('\0');
}

/** Replace what cannot be stored by U+FFFD. */
export function repairedText(text: string): string {
  return text.replaceAll('\0', '\uFFFD').toWellFormed();
}

/** Length in code points (JSON Schema 2020-12 validation §6.3). */
export function codePoints(text: string): number {
  let count = 0;
  for (const _point of text) count++;
  return count;
}

/** The first code points of a text. */
export function firstCodePoints(text: string, most: number): string {
  let count = 0;
  let end = 0;
  for (const point of text) {
    if (count++ === most) break;
    end += point.length;
  }
  return text.slice(0, end);
}

const LOOSE_DATE_TIME = /^(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:[.,](\d{1,9})\d*)? ?(?:([Zz])|([+-]\d\d):?(\d\d))$/;

/**
 * Write a date-time with a zone as RFC 3339 asks, if only its spelling differs.
 * Digits after the ninth of a fraction are dropped. Any other text is returned as it is.
 */
export function respelledDateTime(text: string): string {
  if (!Number.isNaN(dateTimeMs(text))) return text;
  const [, date, time, fraction, utc, hours, minutes] = LOOSE_DATE_TIME.exec(text.trim()) ?? [];
  if (date === undefined) return text;
  return `${date}T${time}${fraction === undefined ? '' : `.${fraction}`}${utc ? 'Z' : `${hours}:${minutes}`}`;
}

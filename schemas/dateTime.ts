const DAY_MS = 86_400_000;
const MAX_OFFSET_MINUTES = 14 * 60;
const MAX_FRACTION_DIGITS = 9;

/** Range of every reader of the lake: 0001-01-01T00:00:00Z to 9999-12-31T23:59:59.999Z. */
const FIRST_MS = -62_135_596_800_000;
const LAST_MS = 253_402_300_799_999;

const DAYS_IN_MONTH = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

const DASH = 45;
const DOT = 46;
const PLUS = 43;
const COLON = 58;
const T = 84;
const Z = 90;

/**
 * Parse a strict RFC 3339 date-time into milliseconds since 1970, else NaN.
 * The form is `YYYY-MM-DDThh:mm:ss`, at most 9 digits of fraction, and `Z` or an offset of at most 14:00. V8, DuckDB and every
 * SDK read it alike, because days are real, T and Z are capitals, and leap seconds are invalid. Digits below a millisecond
 * are dropped.
 */
export function dateTimeMs(text: string): number {
  const length = text.length;
  if (length < 20 || length > 35) return NaN;
  if (text.charCodeAt(4) !== DASH || text.charCodeAt(7) !== DASH || text.charCodeAt(10) !== T) return NaN;
  if (text.charCodeAt(13) !== COLON || text.charCodeAt(16) !== COLON) return NaN;

  const year = twoDigits(text, 0) * 100 + twoDigits(text, 2);
  const month = twoDigits(text, 5);
  const day = twoDigits(text, 8);
  const hour = twoDigits(text, 11);
  const minute = twoDigits(text, 14);
  const second = twoDigits(text, 17);
  // NaN of a missing digit must fail these comparisons.
  if (!(year >= 0 && month >= 1 && month <= 12 && day >= 1 && day <= daysInMonth(year, month))) return NaN;
  if (!(hour <= 23 && minute <= 59 && second <= 59)) return NaN;

  let at = 19;
  let millis = 0;
  if (text.charCodeAt(at) === DOT) {
    const from = ++at;
    for (let scale = 100; at < length; at++, scale /= 10) {
      const digit = text.charCodeAt(at) - 48;
      if (digit < 0 || digit > 9) break;
      if (scale >= 1) millis += digit * scale;
    }
    if (at === from || at - from > MAX_FRACTION_DIGITS) return NaN;
  }

  const offset = offsetMinutes(text, at);
  const time = ((hour * 60 + minute - offset) * 60 + second) * 1000 + millis;
  const ms = daysSinceEpoch(year, month, day) * DAY_MS + time;
  return ms >= FIRST_MS && ms <= LAST_MS ? ms : NaN;
}

/** Test for a day of the calendar, such as `2026-11-23`. */
export function isDate(text: string): boolean {
  return text.length === 10 && !Number.isNaN(dateTimeMs(`${text}T00:00:00Z`));
}

/** Parse the zone at the end of the text into minutes east of UTC, else NaN. */
function offsetMinutes(text: string, at: number): number {
  const sign = text.charCodeAt(at);
  if (sign === Z) return at + 1 === text.length ? 0 : NaN;
  if ((sign !== PLUS && sign !== DASH) || at + 6 !== text.length || text.charCodeAt(at + 3) !== COLON) return NaN;
  const minutes = twoDigits(text, at + 4);
  const offset = twoDigits(text, at + 1) * 60 + minutes;
  if (!(minutes <= 59 && offset <= MAX_OFFSET_MINUTES)) return NaN;
  return sign === PLUS ? offset : -offset;
}

function twoDigits(text: string, at: number): number {
  const tens = text.charCodeAt(at) - 48;
  const ones = text.charCodeAt(at + 1) - 48;
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : NaN;
}

function daysInMonth(year: number, month: number): number {
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  return month === 2 && leap ? 29 : DAYS_IN_MONTH[month - 1]!;
}

/** Days since 1970-01-01. Years begin in March, so that a leap day ends one. */
function daysSinceEpoch(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / 400);
  const yearOfEra = y - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}

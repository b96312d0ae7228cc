const NOTHING = '–';
const WHOLE = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 });
const COMPACT = new Intl.NumberFormat(undefined, { notation: 'compact', maximumFractionDigits: 1 });
// Always one digit, so that the digits of a column stand below each other.
const PERCENT = new Intl.NumberFormat(undefined, {
  style: 'percent',
  minimumFractionDigits: 1,
  maximumFractionDigits: 1,
});
const POINTS = new Intl.NumberFormat(undefined, { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const DAY = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short', timeZone: 'UTC' });
/** Formats of moments in the zone of the page. */
let times = timesIn(undefined);

/** A number from the server, where decimals are text without loss. */
export function numberOf(value: unknown): number | undefined {
  const number = typeof value === 'string' || typeof value === 'bigint' ? Number(value) : value;
  return typeof number === 'number' && Number.isFinite(number) ? number : undefined;
}

/** A count such as `12,345`, or a dash for nothing. */
export function count(value: unknown): string {
  const number = numberOf(value);
  return number === undefined ? NOTHING : WHOLE.format(number);
}

/** A count with its noun: `1 order`, `12 orders`. */
export function countOf(value: unknown, noun: string): string {
  const plural = /(s|x|ch)$/.test(noun) ? `${noun}es` : `${noun}s`;
  return `${count(value)} ${numberOf(value) === 1 ? noun : plural}`;
}

/** Shows moments in a time zone from now on. */
export function showTimesIn(zone: string): void {
  times = timesIn(zone);
}

/** A moment in the zone of the page; another year than this is named. */
export function when(value: unknown, how: 'time' | 'minute' | 'moment' = 'moment'): string {
  const ms = typeof value === 'number' ? value : Date.parse(String(value));
  if (Number.isNaN(ms)) return NOTHING;
  const other = how === 'moment' && times.year.format(ms) !== times.year.format(Date.now());
  return times[other ? 'dated' : how].format(ms);
}

function timesIn(
  timeZone: string | undefined,
): Record<'time' | 'minute' | 'moment' | 'dated' | 'year', Intl.DateTimeFormat> {
  const minute = { hour: '2-digit', minute: '2-digit' } as const;
  const time = { ...minute, second: '2-digit' } as const;
  const of = (format: Intl.DateTimeFormatOptions): Intl.DateTimeFormat =>
    new Intl.DateTimeFormat(undefined, { ...format, timeZone });
  return {
    time: of(time),
    minute: of(minute),
    moment: of({ day: 'numeric', month: 'short', ...time }),
    dated: of({ dateStyle: 'medium', timeStyle: 'medium' }),
    year: of({ year: 'numeric' }),
  };
}

/** A day such as `24 Nov`. */
export function dayName(date: string): string {
  const ms = Date.parse(date);
  return Number.isNaN(ms) ? date : DAY.format(ms);
}

/** A duration: `840 ms`, `3.2 s`, `4 min`, `2 h`, `3 d`. */
export function duration(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(ms < 10_000 ? 1 : 0)} s`;
  if (ms < 3_600_000) return `${Math.round(ms / 60_000)} min`;
  if (ms < 172_800_000) return `${Math.round(ms / 3_600_000)} h`;
  return `${Math.round(ms / 86_400_000)} d`;
}

/** Text of a cell of any type, or a dash for nothing. */
export function plain(value: unknown): string {
  if (value === null || value === undefined || value === '') return NOTHING;
  return typeof value === 'object' ? JSON.stringify(value) : String(value as string | number | boolean);
}
/** A short count such as `12K`. */
export function compactNumber(value: unknown): string {
  const number = numberOf(value);
  return number === undefined ? NOTHING : COMPACT.format(number);
}

/** A share between 0 and 1 as `12.3 %`. */
export function percent(value: unknown): string {
  const number = numberOf(value);
  return number === undefined ? NOTHING : PERCENT.format(number);
}

/** A difference of shares, without its sign: 0.012 as `1.2 points`. */
export function points(value: number): string {
  return `${POINTS.format(Math.abs(value) * 100)} points`;
}

/** An amount in its currency's form; an unknown currency follows the number. */
export function money(value: unknown, currency: string): string {
  const number = numberOf(value);
  if (number === undefined) return NOTHING;
  try {
    return new Intl.NumberFormat(undefined, { style: 'currency', currency }).format(number);
  } catch {
    return `${decimal(number)} ${currency}`;
  }
}

/** A number such as `3.46`, with fixed decimals. */
export function decimal(value: unknown, digits = 2): string {
  const number = numberOf(value);
  if (number === undefined) return NOTHING;
  return new Intl.NumberFormat(undefined, { minimumFractionDigits: digits, maximumFractionDigits: digits }).format(
    number,
  );
}

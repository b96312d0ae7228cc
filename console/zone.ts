const DAY_MS = 86_400_000;

/** Date of a moment in a time zone, such as `2026-11-24`. */
export function dayIn(zone: string, ms: number): string {
  return new Date(wallMs(formatIn(zone), ms)).toISOString().slice(0, 10);
}

/** First moment of a date in a time zone; where clocks skip midnight, the moment after. */
export function startOfDay(zone: string, date: string): number {
  const format = formatIn(zone);
  const wall = Date.parse(date);
  const offsets = [wall - DAY_MS, wall + DAY_MS].map((ms) => wallMs(format, ms) - ms);
  const fitting = offsets.map((offset) => wall - offset).filter((ms) => wallMs(format, ms) === wall);
  return fitting.length > 0 ? Math.min(...fitting) : wall - offsets[0]!;
}

function formatIn(timeZone: string): Intl.DateTimeFormat {
  return new Intl.DateTimeFormat('en-US', {
    timeZone,
    calendar: 'gregory',
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
}

/** Local time of a moment, as if it were UTC, to the second. */
function wallMs(format: Intl.DateTimeFormat, ms: number): number {
  const parts = new Map(format.formatToParts(ms).map(({ type, value }) => [type, Number(value)]));
  const part = (type: Intl.DateTimeFormatPartTypes): number => parts.get(type) ?? 0;
  return Date.UTC(part('year'), part('month') - 1, part('day'), part('hour'), part('minute'), part('second'));
}

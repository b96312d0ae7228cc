import { isDate } from './dateTime.ts';

const SECOND_MS = 1_000;
const DAY_MS = 86_400_000;
/** Offsets are known between these; before and after, those of the ends hold. Spor stores no earlier event. */
const FIRST_MS = Date.UTC(1970, 0, 1);
const LAST_MS = Date.UTC(2100, 0, 1);
/** Names as IANA writes them; Intl would take offsets such as +05:30 too. */
const NAME = /^[A-Za-z][A-Za-z0-9_+-]*(?:\/[A-Za-z0-9_+-]+)*$/;

/** The zone of a shop that has none of its own. */
export const UTC = 'UTC';

/** The time zones of a tenant's shops, as IANA names. */
export interface ShopZones {
  /** Zone of the tenant as a whole, and of segments without their own. */
  zone: string;
  /** Zones of segments, where they were set. */
  segments: Record<string, string>;
}

/** A time zone with its history of offsets, by the time zone database of this process. */
export interface Zone {
  /** IANA name, such as `Europe/Copenhagen`. */
  name: string;
  /** Local time minus UTC at a moment, in milliseconds. */
  offsetAt(ms: number): number;
  /** Moments at which the offset changes, after `fromMs` until `toMs`, to the second. */
  changes(fromMs: number, toMs: number): number[];
  /** Date of a moment, such as `2026-11-23`. */
  dayOf(ms: number): string;
  /** First moment of a date; where clocks skip midnight, the moment after the gap. */
  startOfDay(date: string): number;
  /** The moment a number of days later or earlier by the calendar, at the same time of day. */
  addDays(ms: number, days: number): number;
}

/** Whether a text is the name of a time zone in the IANA database, in any case of letters. */
export function isZone(name: string): boolean {
  if (!NAME.test(name)) return false;
  try {
    formatOf(name);
    return true;
  } catch {
    return false;
  }
}

/**
 * The time zone of an IANA name.
 * @throws RangeError for another name, see isZone
 */
export function createZone(name: string): Zone {
  const format = formatOf(name);
  const offsetAt = (ms: number): number => {
    const within = Math.floor(Math.min(Math.max(ms, FIRST_MS), LAST_MS) / SECOND_MS) * SECOND_MS;
    return wallMs(format, within) - within;
  };
  const firstChange = (fromMs: number, toMs: number): number => {
    let [before, after] = [Math.floor(fromMs / SECOND_MS), Math.ceil(toMs / SECOND_MS)];
    const offset = offsetAt(fromMs);
    while (after - before > 1) {
      const middle = Math.floor((before + after) / 2);
      if (offsetAt(middle * SECOND_MS) === offset) before = middle;
      else after = middle;
    }
    return after * SECOND_MS;
  };
  const changes = (fromMs: number, toMs: number): number[] => {
    const found: number[] = [];
    const last = Math.min(toMs, LAST_MS);
    for (let at = Math.max(fromMs, FIRST_MS); at < last; at += DAY_MS) {
      const next = Math.min(at + DAY_MS, last);
      if (offsetAt(at) !== offsetAt(next)) found.push(firstChange(at, next));
    }
    return found;
  };
  /** The first moment with this local time; in a gap, as long after the gap as the local time is after its begin. */
  const atWall = (wall: number): number => {
    const [early, late] = [wall - offsetAt(wall - DAY_MS), wall - offsetAt(wall + DAY_MS)];
    const fitting = [early, late].filter((ms) => ms + offsetAt(ms) === wall);
    return fitting.length > 0 ? Math.min(...fitting) : early;
  };
  const dayOf = (ms: number): string => new Date(ms + offsetAt(ms)).toISOString().slice(0, 10);
  return {
    name,
    offsetAt,
    changes,
    dayOf,
    startOfDay: (date) => {
      const wall = Date.parse(date);
      const start = atWall(wall);
      const inGap = start + offsetAt(start) !== wall;
      return inGap ? (changes(start - DAY_MS, start).at(-1) ?? start) : start;
    },
    addDays: (ms, days) => atWall(ms + offsetAt(ms) + days * DAY_MS),
  };
}

/** Whether a moment is the first of its date. */
export function isDayStart(zone: Zone, ms: number): boolean {
  const date = zone.dayOf(ms);
  return isDate(date) && zone.startOfDay(date) === ms;
}

function formatOf(name: string): Intl.DateTimeFormat {
  return new Intl.DateTimeFormat('en-US', {
    timeZone: name,
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

/** Local time of a moment, as if it were UTC. */
function wallMs(format: Intl.DateTimeFormat, ms: number): number {
  const parts = new Map(format.formatToParts(ms).map(({ type, value }) => [type, Number(value)]));
  const part = (type: Intl.DateTimeFormatPartTypes): number => parts.get(type) ?? 0;
  return Date.UTC(part('year'), part('month') - 1, part('day'), part('hour'), part('minute'), part('second'));
}

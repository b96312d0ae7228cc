/**
 * What a commit says of the events it brings, so that the tables account for themselves: kept in the entry's `commitInfo`.
 * Days are UTC dates of receipt, `2026-11-23`, whatever day an event happened on.
 */
type CountsByDay<Count extends string> = Record<string, Record<Count, number> & { erased?: number }>;

/** A commit of a flush to the events table. accepted = stored + duplicate + setAside + erased, of each day; setAside is what the log calls the unstorable events. */
export type AcceptedByDay = CountsByDay<'accepted' | 'duplicate' | 'setAside'>;

/** A commit of a flush to the quarantine table: rows, of which some are accepted events that were set aside, and some left out, erased. */
export type QuarantinedByDay = CountsByDay<'quarantined' | 'setAside'>;

/** What a tenant has in a window, by day of receipt. */
export interface DayShare {
  accepted: number;
  /** Accepted events that cannot become rows and go to the quarantine. */
  unstorable: number;
  /** Rows for the quarantine, those set aside included, and how many of them are set aside. */
  quarantined: number;
  unstorableRows: number;
}

/** The counts of a day, made where there are none yet. */
export function dayShare(days: Map<string, DayShare>, day: string): DayShare {
  const known = days.get(day);
  if (known) return known;
  const share = { accepted: 0, unstorable: 0, quarantined: 0, unstorableRows: 0 };
  days.set(day, share);
  return share;
}

/** Numbers as ranges, ascending: `0-19,25`. */
export function formatRanges(numbers: readonly number[]): string {
  const sorted = [...numbers].sort((a, b) => a - b);
  const ranges: string[] = [];
  for (let at = 0; at < sorted.length;) {
    let end = at;
    while (end + 1 < sorted.length && sorted[end + 1]! === sorted[end]! + 1) end++;
    ranges.push(end === at ? `${sorted[at]}` : `${sorted[at]}-${sorted[end]}`);
    at = end + 1;
  }
  return ranges.join(',');
}

/** The numbers of formatRanges; none where it is not its text. */
export function parseRanges(text: string): number[] {
  return text.split(',').flatMap((range) => {
    const match = /^(\d{1,9})(?:-(\d{1,9}))?$/.exec(range);
    if (!match) return [];
    const first = Number(match[1]);
    const last = Number(match[2] ?? first);
    return Array.from({ length: Math.min(100_000, Math.max(0, last - first + 1)) }, (_, index) => first + index);
  });
}

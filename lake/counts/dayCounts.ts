/**
 * Counts that a commit keeps in its entry's `commitInfo`, by day.
 *
 * A day is the UTC date of receipt, `2026-11-23`, not the date of the event.
 */
type CountsByDay<Count extends string> = Record<
  string,
  Record<Count, number> & { erased?: number; differing?: number }
>;

/**
 * Counts of a flush's commit to the events table.
 *
 * For each day accepted = stored + duplicate + setAside + erased. `setAside` is the log's word for unstorable events.
 * `differing` counts those duplicates whose content is not that of the first.
 */
export type AcceptedByDay = CountsByDay<'accepted' | 'duplicate' | 'setAside'>;

/**
 * Counts of a flush's commit to the quarantine table.
 *
 * `quarantined` counts rows. `setAside` counts those of them that are unstorable accepted events. `erased` counts rows
 * left out.
 */
export type QuarantinedByDay = CountsByDay<'quarantined' | 'setAside'>;

/** A tenant's counts in a window, of one day of receipt. */
export interface DayShare {
  accepted: number;
  /** Accepted events that cannot become rows, so they go to the quarantine. */
  unstorable: number;
  /** Rows for the quarantine, unstorable events included. */
  quarantined: number;
  unstorableRows: number;
  /** The parts of each segment, for the commit of either table. */
  segments: Map<string, SegmentShare>;
}

/**
 * A segment's part of a day in a window.
 *
 * The bytes of a batch belong to the table that gets its first event, so that a repeated window counts them once.
 */
export interface SegmentShare {
  accepted: number;
  acceptedBytes: number;
  rejected: number;
  rejectedBytes: number;
}

/** The part of a segment, created on first use. */
export function segmentShare({ segments }: DayShare, segmentId: string): SegmentShare {
  const known = segments.get(segmentId);
  if (known) return known;
  const share = { accepted: 0, acceptedBytes: 0, rejected: 0, rejectedBytes: 0 };
  segments.set(segmentId, share);
  return share;
}

/** The counts of a day, created on first use. */
export function dayShare(days: Map<string, DayShare>, day: string): DayShare {
  const known = days.get(day);
  if (known) return known;
  const share = { accepted: 0, unstorable: 0, quarantined: 0, unstorableRows: 0, segments: new Map() };
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

/** The numbers that formatRanges wrote; none for any other text. */
export function parseRanges(text: string): number[] {
  return text.split(',').flatMap((range) => {
    const match = /^(\d{1,9})(?:-(\d{1,9}))?$/.exec(range);
    if (!match) return [];
    const first = Number(match[1]);
    const last = Number(match[2] ?? first);
    return Array.from({ length: Math.min(100_000, Math.max(0, last - first + 1)) }, (_, index) => first + index);
  });
}

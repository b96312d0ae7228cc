/** Counts of one day of receipt, from one commit or several; an absent count is zero. */
export type DayCounts = Partial<
  Record<'accepted' | 'duplicate' | 'differing' | 'setAside' | 'quarantined' | 'erased' | 'expired', number>
>;

/** What one segment sent; an absent count is zero. */
export interface SegmentCounts {
  accepted?: number;
  /** Events in the quarantine that were not accepted. */
  rejected?: number;
  /** Bytes of request bodies. */
  bytes?: number;
}

/** What each segment sent, by UTC date of receipt. */
export type ReceivedByDay = Record<string, Record<string, SegmentCounts>>;

/**
 * Counts of events that one log entry, or folded ones, added or removed.
 *
 * The fields are those of `commitInfo`: `days` has counts by UTC date of receipt. `duplicates`, `differing`
 * and `erased` have positions by receipt, as formatRanges writes them. A commit that removes rows on purpose must count
 * them: as `erased` for an erasure, as `expired` for retention.
 */
export interface CommitCounts {
  /** Version of the entry; the last version of folded entries. */
  version: number;
  /** The stream of a flush, and the range of its messages. */
  flush?: { appId: string; firstSequence: number; lastSequence: number };
  /** Whether several commits were folded, so that sequences are merged. */
  folded: boolean;
  days: Record<string, DayCounts>;
  duplicates: Record<string, string>;
  /** Those duplicates whose content is not that of the first. */
  differing: Record<string, string>;
  erased: Record<string, string>;
  /** The parts of each segment in a flush. Absent: written before Spor kept them. */
  received?: ReceivedByDay;
  /** Paths of the files with other rows, in a commit of another tool. */
  foreign?: { by: string; operation: string; added: string[]; removed: string[] };
}

import type { DayShare } from '../counts/dayCounts.ts';
import type { TenantShare } from '../window/closedWindow.ts';

/** Positions in the sender's batch by receipt, as formatRanges writes them. */
type Positions = Record<string, string>;

/** Counts of a tenant's share. Accepted = stored + duplicate + unstorable + erased. */
interface FlushCounts {
  accepted: number;
  stored: number;
  duplicate: number;
  /** Duplicates whose content differs from that of the first, among `duplicate`. */
  differing: number;
  /** Unstorable events, which are in the quarantine. */
  unstorable: number;
  /** Accepted events of erased people. */
  erased: number;
  /** Rows for the quarantine table, including the `erasedRows` left out. */
  quarantined: number;
  erasedRows: number;
}

/** Outcome of a tenant's share of a window. */
export interface FlushOutcome {
  counts: FlushCounts;
  /** Positions of the events left out. */
  positions: { duplicates: Positions; differing: Positions; erasedEvents: Positions; erasedRejected: Positions };
  /** By UTC date of receipt. */
  days: Map<string, DayShare & Pick<FlushCounts, 'duplicate' | 'differing' | 'erased' | 'erasedRows'>>;
}

/** Starts the outcome of a share, with nothing written or left out. */
export function beginOutcome({ accepted, unstorable, quarantined, days }: TenantShare): FlushOutcome {
  const none = { duplicate: 0, differing: 0, erased: 0, erasedRows: 0 };
  return {
    counts: { accepted, unstorable, quarantined, stored: 0, ...none },
    positions: { duplicates: {}, differing: {}, erasedEvents: {}, erasedRejected: {} },
    days: new Map([...days].map(([day, share]) => [day, { ...share, ...none }])),
  };
}

import type { DayShare } from '../counts/dayCounts.ts';
import type { TenantShare } from '../window/closedWindow.ts';

/** Positions in the sender's batch by receipt, as formatRanges writes them. */
type Positions = Record<string, string>;

/** Counts of a tenant's share: accepted = stored + duplicate + unstorable + erased. */
interface FlushCounts {
  accepted: number;
  stored: number;
  duplicate: number;
  /** Accepted events that could not become rows and are in the quarantine. */
  unstorable: number;
  /** Accepted events of those who are erased. */
  erased: number;
  /** Rows for the quarantine table, of which `erasedRows` are left out. */
  quarantined: number;
  erasedRows: number;
}

/** What became of a tenant's share of a window. */
export interface FlushOutcome {
  counts: FlushCounts;
  /** Of the events left out. */
  positions: { duplicates: Positions; erasedEvents: Positions; erasedRejected: Positions };
  /** By UTC date of receipt. */
  days: Map<string, DayShare & Pick<FlushCounts, 'duplicate' | 'erased' | 'erasedRows'>>;
}

/** The outcome of a share of which nothing is written or left out yet. */
export function beginOutcome({ accepted, unstorable, quarantined, days }: TenantShare): FlushOutcome {
  const none = { duplicate: 0, erased: 0, erasedRows: 0 };
  return {
    counts: { accepted, unstorable, quarantined, stored: 0, ...none },
    positions: { duplicates: {}, erasedEvents: {}, erasedRejected: {} },
    days: new Map([...days].map(([day, share]) => [day, { ...share, ...none }])),
  };
}

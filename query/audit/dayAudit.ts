import type { SqlRow } from '../../lake/duckdb/sqlEngine.ts';
import type { CommitCounts, DayCounts } from '../../lake/counts/commits.ts';
import { addCounts } from '../../lake/counts/fold.ts';
import type { CheckedTable, Days } from './expected.ts';
import type { StreamState } from '../../stream/streamState.ts';
import { DAY_MS, utcDay } from '../../runtime/units.ts';

/** One day of receipt. accepted = stored + duplicate + quarantined + erased + expired + pending + difference. */
export interface DayAudit {
  /** UTC. */
  date: string;
  /** Events that were accepted: of these counted from the stream itself, the others from what commits said. */
  accepted: number;
  fromStream: number;
  /** Rows of the events table. */
  stored: number;
  /** Resends that were dropped. */
  duplicate: number;
  /** Accepted events that could not become rows and are in the quarantine. */
  quarantined: number;
  /** Taken away on request. */
  erased: number;
  /** Taken away because their time was over. */
  expired: number;
  /** In the stream, and not in the tables yet. */
  pending: number;
  /** 0 when all is well; above, events are missing; below, there are too many rows. */
  difference: number;
  /** Refused events: refused = kept + erased + expired + pending + difference. */
  refused: {
    refused: number;
    /** Rows of the quarantine table. */
    kept: number;
    erased: number;
    expired: number;
    pending: number;
    difference: number;
  };
}

/** A table's accounts, and from which message on the stream was counted instead. */
interface Accounted extends CheckedTable {
  accounts: readonly CommitCounts[];
}

/** Pure: the accounts of the days, from the sums by day of what was counted, and from what commits say. */
export function sumDays(
  rows: readonly SqlRow[],
  {
    days,
    tables,
    stream,
  }: { days: Days; tables: Record<'events' | 'quarantine', Accounted>; stream: StreamState | undefined },
): DayAudit[] {
  const counted = new Map(rows.map((row) => [String(row.day), row]));
  const events = sumAccounts(tables.events, stream);
  const quarantine = sumAccounts(tables.quarantine, stream);
  return datesOf(days).map((date) => {
    const count = (name: string): number => Number(counted.get(date)?.[name] ?? 0);
    const said = events.all.get(date) ?? {};
    const earlier = events.earlier.get(date) ?? {};
    const kept = quarantine.all.get(date) ?? {};
    const keptEarlier = quarantine.earlier.get(date) ?? {};
    const [day, asideGone] = withAsideGone(
      {
        date,
        accepted: count('accepted') + (earlier.accepted ?? 0),
        fromStream: count('accepted'),
        stored: count('stored'),
        duplicate: said.duplicate ?? 0,
        quarantined: count('unstorable'),
        erased: said.erased ?? 0,
        expired: said.expired ?? 0,
        pending: count('pending'),
      },
      kept,
    );
    const refused = {
      refused: count('refused') + (keptEarlier.quarantined ?? 0) - (keptEarlier.setAside ?? 0),
      kept: count('kept'),
      erased: (kept.erased ?? 0) - asideGone.erased,
      expired: (kept.expired ?? 0) - asideGone.expired,
      pending: count('refused_pending'),
    };
    const { kept: rows, erased, expired, pending } = refused;
    return {
      ...day,
      difference: wanting(day),
      refused: { ...refused, difference: refused.refused - rows - erased - expired - pending },
    };
  });
}

type Counted = Omit<DayAudit, 'difference' | 'refused'>;

function wanting({ accepted, stored, duplicate, quarantined, erased, expired, pending }: Counted): number {
  return accepted - stored - duplicate - quarantined - erased - expired - pending;
}

/**
 * The day with what the quarantine says to have erased or expired of accepted events that had been set aside there, and how
 * many those are: as many as accepted events are wanting (selectDifferences of reconcileSql.ts does the same by batch).
 */
function withAsideGone(day: Counted, kept: DayCounts): [Counted, { erased: number; expired: number }] {
  const most = (gone = 0, wanted: number): number => Math.min(gone, Math.max(0, wanted));
  const erased = most(kept.erased, wanting(day));
  const expired = most(kept.expired, wanting(day) - erased);
  return [
    { ...day, erased: day.erased + erased, expired: day.expired + expired },
    { erased, expired },
  ];
}

/** Sums by day: of all commits, and of flushes from before the counted part of the stream. */
function sumAccounts(
  { accounts, from }: Accounted,
  stream: StreamState | undefined,
): { all: Map<string, DayCounts>; earlier: Map<string, DayCounts> } {
  const all = new Map<string, DayCounts>();
  const earlier = new Map<string, DayCounts>();
  for (const { flush, days } of accounts) {
    const isEarlier = flush !== undefined && (flush.appId !== stream?.appId || flush.lastSequence < from);
    for (const [day, counts] of Object.entries(days)) {
      all.set(day, addCounts(all.get(day) ?? {}, counts));
      if (isEarlier) earlier.set(day, addCounts(earlier.get(day) ?? {}, counts));
    }
  }
  return { all, earlier };
}

function datesOf({ from, to }: Days): string[] {
  const first = Date.parse(`${from}T00:00:00Z`);
  const count = Math.round((Date.parse(`${to}T00:00:00Z`) - first) / DAY_MS) + 1;
  return Array.from({ length: count }, (_, index) => utcDay(first + index * DAY_MS));
}

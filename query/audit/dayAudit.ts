import type { SqlRow } from '../../lake/duckdb/sqlEngine.ts';
import type { CommitCounts, DayCounts } from '../../lake/counts/commitCounts.ts';
import { addCounts } from '../../lake/counts/fold.ts';
import type { CheckedTable, Days } from './expected.ts';
import type { StreamState } from '../../stream/streamState.ts';
import { DAY_MS, utcDay } from '../../runtime/units.ts';

/** Counts of a day. accepted = stored + duplicate + quarantined + erased + expired + pending + difference. */
export interface DayAudit {
  /** UTC day of receipt. */
  date: string;
  /** Accepted events: `fromStream` counted in the stream, the others from commits. */
  accepted: number;
  fromStream: number;
  /** Rows of the events table. */
  stored: number;
  /** Resends that were dropped. */
  duplicate: number;
  /** Resends among these whose content is not that of the first event. */
  differing: number;
  /** Unstorable events, which are in the quarantine. */
  quarantined: number;
  /** Events removed on request. */
  erased: number;
  /** Events removed by retention. */
  expired: number;
  /** Events in the stream that the tables do not have yet. */
  pending: number;
  /** Missing events if positive, surplus rows if negative. */
  difference: number;
  /** Rejected events: refused = kept + erased + expired + pending + difference. */
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

/** A table's day counts. From message `from` on, the stream was counted instead. */
interface Accounted extends CheckedTable {
  accounts: readonly CommitCounts[];
}

/** Sum the days from rows counted by day and from the commits' counts. Pure. */
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
        differing: said.differing ?? 0,
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
 * Count unstorable events that left the quarantine as accepted ones.
 *
 * The quarantine counts erased and expired rows of all kinds. As many are taken for unstorable events as accepted events are
 * missing (selectDifferences of reconcileSql.ts does so by batch).
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

/** Sum days over all commits, and over the flushes before `from`. */
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

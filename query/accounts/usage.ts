import type { CommitCounts } from '../../lake/counts/commitCounts.ts';

/** Usage of one tenant in one month, of one segment. */
export interface UsageRow {
  /** UTC month, such as `2026-11`. */
  month: string;
  /** Empty: of no single segment, such as queries, or events counted before Spor kept segments. */
  segment: string;
  /** Events that receivers accepted, by their day of receipt. Resends count too. */
  accepted: number;
  /** Events that receivers rejected. */
  rejected: number;
  /** Bytes of request bodies as they came. */
  bytesReceived: number;
  /** Statements and reports that query servers ran. */
  queries: number;
  /** Processor time of the queries that were answered. */
  queryCpuSeconds: number;
  /** Rows of the answers. */
  queryRows: number;
  /** Time that the queries ran. */
  querySeconds: number;
  /** Bytes of the current files of events and quarantine, as last seen in the month. */
  storageBytes: number;
}

/** The numbers of a row. */
export type UsageCounts = Omit<UsageRow, 'month' | 'segment'>;

/** What queries of a month used. */
export type QueryUse = Pick<UsageCounts, 'queries' | 'queryCpuSeconds' | 'queryRows' | 'querySeconds'>;

const NOTHING: UsageCounts = {
  accepted: 0,
  rejected: 0,
  bytesReceived: 0,
  queries: 0,
  queryCpuSeconds: 0,
  queryRows: 0,
  querySeconds: 0,
  storageBytes: 0,
};

/** The rows of a tenant, to which counts are added. */
export class UsageRows {
  readonly #rows = new Map<string, UsageRow>();

  constructor(rows: readonly UsageRow[] = []) {
    for (const row of rows) this.#rows.set(keyOf(row.month, row.segment), { ...row });
  }

  /** Adds counts to a row, which may be new. */
  add(month: string, segment: string, counts: Partial<UsageCounts>): void {
    const row = this.#row(month, segment);
    for (const [name, count] of Object.entries(counts) as [keyof UsageCounts, number][]) row[name] += count;
  }

  /** Adds what commits of the events table and the quarantine count. */
  addCommits(events: readonly CommitCounts[], quarantine: readonly CommitCounts[]): void {
    for (const { days, received = {} } of events)
      for (const [day, { accepted = 0 }] of Object.entries(days))
        this.#addDay(day, 'accepted', accepted, received[day]);
    for (const { days, received = {} } of quarantine)
      for (const [day, { quarantined = 0, setAside = 0 }] of Object.entries(days))
        this.#addDay(day, 'rejected', quarantined - setAside, received[day]);
  }

  /** Says how many bytes each segment holds now. */
  setStorage(month: string, bytesOf: ReadonlyMap<string, number>): void {
    for (const row of this.#rows.values()) if (row.month === month) row.storageBytes = 0;
    for (const [segment, bytes] of bytesOf) this.#row(month, segment).storageBytes = bytes;
  }

  /** The rows by month and segment. */
  list(): UsageRow[] {
    return [...this.#rows.values()].sort((a, b) => (keyOf(a.month, a.segment) < keyOf(b.month, b.segment) ? -1 : 1));
  }

  /** A commit without segments, or with some of them only, leaves the rest to no segment. */
  #addDay(
    day: string,
    name: 'accepted' | 'rejected',
    total: number,
    segments: Readonly<Record<string, Partial<Record<'accepted' | 'rejected' | 'bytes', number>>>> = {},
  ): void {
    const month = day.slice(0, 7);
    let rest = total;
    for (const [segment, counts] of Object.entries(segments)) {
      this.add(month, segment, { [name]: counts[name] ?? 0, bytesReceived: counts.bytes ?? 0 });
      rest -= counts[name] ?? 0;
    }
    if (rest !== 0) this.add(month, '', { [name]: rest });
  }

  #row(month: string, segment: string): UsageRow {
    const key = keyOf(month, segment);
    const row = this.#rows.get(key) ?? { month, segment, ...NOTHING };
    this.#rows.set(key, row);
    return row;
  }
}

function keyOf(month: string, segment: string): string {
  return `${month}/${segment}`;
}

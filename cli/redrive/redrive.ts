import { judgeAgain, type Candidate, type JudgeOptions, type KeptEvent } from './candidates.ts';
import type { RedriveStream } from './publish.ts';
import { readPage, redrivenPlaces, storedIds, type Ask, type QuarantinedRow, type RowFilter } from './rows.ts';

/** Outcome: redriven, in the lake before, or still in the quarantine. */
export type RedriveOutcome =
  | 'redriven'
  /** Published, and not committed yet. */
  | 'published'
  /** Would be redriven without the dry run. */
  | 'acceptable'
  /** Redriven by an earlier call. */
  | 'redrivenBefore'
  /** The lake has its id, for instance from the shop's resend. */
  | 'storedAlready'
  | 'refused'
  | 'skipped';

export interface RedriveEvent {
  receiptId: string;
  index: number | null;
  eventId: string | null;
  outcome: RedriveOutcome;
  /** Code in the quarantine. */
  code: string;
  /** For an event that stays: the new code, and what to do. */
  refusedWith?: string;
  message?: string;
}

export interface RedriveReport {
  counts: Record<RedriveOutcome, number>;
  /** The first events, at most EVENTS_LISTED. */
  events: RedriveEvent[];
  /** There are more rows than the limit. */
  more: boolean;
}

export interface RedriveOptions extends JudgeOptions {
  filter: RowFilter;
  /** Limit of rows to read. */
  limit: number;
  /** The processor's time within which resends are dropped. */
  dedupeMs: number;
  /** Absent: a dry run. */
  stream: RedriveStream | undefined;
  waitMs: number;
}

const PAGE_ROWS = 1_000;
const EVENTS_LISTED = 1_000;

/**
 * Redrive rejected events: fix, judge and publish them.
 *
 * A page of the quarantine is read and fixed. The Event Receiver's rules judge each event, and events that the lake has are
 * skipped.
 *
 * Each event comes into the lake exactly once, also after repeated, concurrent and interrupted calls. An event keeps its id, and
 * the processor searches the lake for the id from a window before the *original* receipt on. The check here only saves work.
 */
export async function redrive(ask: Ask, options: RedriveOptions): Promise<RedriveReport> {
  const report = newReport();
  const published: Candidate[] = [];
  const expression = options.fix && 'expression' in options.fix ? options.fix.expression : undefined;
  let after: QuarantinedRow | undefined;
  let left = options.limit;
  do {
    const page = await readPage(ask, { ...options.filter, limit: Math.min(PAGE_ROWS, left), after, expression });
    const { candidates, kept } = await judgePage(ask, page.rows, options, report);
    for (const one of kept) note(report, one.row, one);
    if (options.stream) for (const batch of byBatch(candidates)) await options.stream.publish(batch);
    published.push(...candidates);
    left -= page.rows.length;
    after = page.rows.at(-1);
    report.more = page.more;
  } while (report.more && left > 0);
  if (!options.stream) for (const one of published) note(report, one.row, { ...one, outcome: 'acceptable' });
  else await noteOutcomes(ask, published, options.stream, { options, report });
  return report;
}

async function judgePage(
  ask: Ask,
  rows: readonly QuarantinedRow[],
  options: RedriveOptions,
  report: RedriveReport,
): Promise<{ candidates: Candidate[]; kept: KeptEvent[] }> {
  const judged = rows.map((row) => judgeAgain(row, options));
  const all = judged.flatMap(({ candidates }) => candidates);
  const before = await redrivenPlaces(ask, receiptsOf(all));
  const rest = all.filter((one) => !before.has(placeOf(one)));
  const stored = await storedIds(ask, idsOf(rest), earliestMs(rest) - options.dedupeMs);
  for (const one of all) {
    if (before.has(placeOf(one))) note(report, one.row, { ...one, outcome: 'redrivenBefore' });
    else if (stored.has(one.eventId)) note(report, one.row, { ...one, outcome: 'storedAlready' });
  }
  return {
    candidates: rest.filter(({ eventId }) => !stored.has(eventId)),
    kept: judged.flatMap(({ kept }) => kept),
  };
}

async function noteOutcomes(
  ask: Ask,
  published: readonly Candidate[],
  stream: RedriveStream,
  { options, report }: { options: RedriveOptions; report: RedriveReport },
): Promise<void> {
  const found = async (): Promise<boolean> => {
    for (const part of pagesOf(published)) {
      const places = await redrivenPlaces(ask, receiptsOf(part));
      if (!part.every((one) => places.has(placeOf(one)))) return false;
    }
    return true;
  };
  const committed = published.length === 0 || (await stream.committed(options.waitMs, found));
  for (const part of pagesOf(published)) {
    const places = committed ? await redrivenPlaces(ask, receiptsOf(part)) : new Set<string>();
    const stored = committed ? await storedIds(ask, idsOf(part), earliestMs(part) - options.dedupeMs) : new Set();
    for (const one of part) {
      const outcome = places.has(placeOf(one)) ? 'redriven' : stored.has(one.eventId) ? 'storedAlready' : 'published';
      note(report, one.row, { ...one, outcome });
    }
  }
}

function pagesOf(published: readonly Candidate[]): Candidate[][] {
  const pages = Math.ceil(published.length / PAGE_ROWS);
  return Array.from({ length: pages }, (_, page) => published.slice(page * PAGE_ROWS, (page + 1) * PAGE_ROWS));
}

function newReport(): RedriveReport {
  const counts = {
    redriven: 0,
    published: 0,
    acceptable: 0,
    redrivenBefore: 0,
    storedAlready: 0,
    refused: 0,
    skipped: 0,
  };
  return { counts, events: [], more: false };
}

function note(
  { counts, events }: RedriveReport,
  row: QuarantinedRow,
  one: { index: number | null; eventId?: string; outcome: RedriveOutcome; code?: string; message?: string },
): void {
  counts[one.outcome]++;
  if (events.length === EVENTS_LISTED) return;
  events.push({
    receiptId: row.receiptId,
    index: one.index,
    eventId: one.eventId ?? row.eventId,
    outcome: one.outcome,
    code: row.code,
    ...(one.outcome === 'refused' ? { refusedWith: one.code } : {}),
    ...(one.message === undefined ? {} : { message: one.message }),
  });
}

/** Group events by rejected batch. The sentAt of a body is that of all its events. */
function byBatch(candidates: readonly Candidate[]): Candidate[][] {
  return [...Map.groupBy(candidates, ({ row }) => row.receiptId).values()];
}

function receiptsOf(candidates: readonly Candidate[]): string[] {
  return [...new Set(candidates.map(({ row }) => row.receiptId))];
}

function idsOf(candidates: readonly Candidate[]): string[] {
  return candidates.map(({ eventId }) => eventId);
}

function placeOf({ row, index }: Candidate): string {
  return `${row.receiptId}/${index}`;
}

function earliestMs(candidates: readonly Candidate[]): number {
  return candidates.reduce((earliest, { row }) => Math.min(earliest, Date.parse(row.receivedAt)), Infinity);
}

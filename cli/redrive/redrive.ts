import { judgeAgain, type Candidate, type JudgeOptions, type KeptEvent } from './candidates.ts';
import type { RedriveStream } from './publish.ts';
import { readPage, redrivenPlaces, storedIds, type Ask, type QuarantinedRow, type RowFilter } from './rows.ts';

/** What became of an event: in the lake through this call, there already, or still in the quarantine and why. */
export type RedriveOutcome =
  | 'redriven'
  /** Published, and no commit seen of it yet. */
  | 'published'
  /** A dry run: it would be redriven. */
  | 'acceptable'
  /** It was redriven before. */
  | 'redrivenBefore'
  /** The lake has an event with its id from elsewhere, for instance sent again by the shop. */
  | 'storedAlready'
  | 'refused'
  | 'skipped';

export interface RedriveEvent {
  receiptId: string;
  index: number | null;
  eventId: string | null;
  outcome: RedriveOutcome;
  /** Why it is in the quarantine. */
  code: string;
  /** Where it stays there: ingest's code now, and what to do. */
  refusedWith?: string;
  message?: string;
}

export interface RedriveReport {
  counts: Record<RedriveOutcome, number>;
  /** The first of them, EVENTS_LISTED at most. */
  events: RedriveEvent[];
  /** Whether there are more rows than were looked at. */
  more: boolean;
}

export interface RedriveOptions extends JudgeOptions {
  filter: RowFilter;
  /** Most rows looked at. */
  limit: number;
  /** How long after a stored event a resend is known, as the processor has it. */
  dedupeMs: number;
  /** Absent: a dry run. */
  stream: RedriveStream | undefined;
  waitMs: number;
}

const PAGE_ROWS = 1_000;
const EVENTS_LISTED = 1_000;

/**
 * Brings refused events into the stream again: reads a page of the quarantine, applies the fix, judges by ingest's rules,
 * leaves out what the lake has, publishes the rest.
 *
 * Each comes into the lake exactly once, however often this is done, by several at a time, or ended half-way: an event
 * keeps its id, and the processor looks for the id in the lake from a window before the *original* receipt on. What is
 * checked here before publishing only spares work.
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
  const committed = published.length === 0 || (await stream.committed(options.waitMs));
  for (let at = 0; at < published.length; at += PAGE_ROWS) {
    const part = published.slice(at, at + PAGE_ROWS);
    const places = committed ? await redrivenPlaces(ask, receiptsOf(part)) : new Set<string>();
    const stored = committed ? await storedIds(ask, idsOf(part), earliestMs(part) - options.dedupeMs) : new Set();
    for (const one of part) {
      const outcome = places.has(placeOf(one)) ? 'redriven' : stored.has(one.eventId) ? 'storedAlready' : 'published';
      note(report, one.row, { ...one, outcome });
    }
  }
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

/** The events of each refused batch together; a body's own sentAt is that of all its events. */
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

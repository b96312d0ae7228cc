import { LakeError } from '../errors.ts';
import type { Storage } from '../storage/storage.ts';
import type { CommitCounts, DayCounts, ReceivedByDay, SegmentCounts } from './commitCounts.ts';
import { paddedVersion } from '../delta/paddedVersion.ts';

/**
 * Sums of the counts of log entries that a cleanup deletes.
 *
 * Each fold is a file beside the tables, `accounts/<table>/tenant=<t>/<first>-<last version>.json`. No file is ever
 * changed.
 */
interface Fold {
  accounts: FoldedCounts[];
}

/** Counts as a fold has them; those of before `differing` lack it. */
type FoldedCounts = Omit<CommitCounts, 'folded' | 'version' | 'differing'> & Partial<Pick<CommitCounts, 'differing'>>;

/** Log entries whose counts a file holds: after one version, up to another. */
interface Span {
  after: number;
  version: number;
}

/** Folder of a table's folded counts. */
export function foldPath(root: string, name: string): string {
  return `accounts/${root}/${name}`;
}

/** The entries that a file of folded counts covers; undefined for any other file. */
export function foldSpan(path: string): Span | undefined {
  const match = /\/(\d{20})-(\d{20})\.json$/.exec(path);
  return match ? { after: Number(match[1]) - 1, version: Number(match[2]) } : undefined;
}

/**
 * Choose the files that together hold every entry once, in order. Pure.
 *
 * Two processes may fold the same entries at the same time, one of them further. Then the longer fold counts.
 */
export function chainOf<T extends Span>(spans: readonly T[]): T[] {
  const chain: T[] = [];
  let before = Infinity;
  for (const span of [...spans].sort((a, b) => b.version - a.version || a.after - b.after)) {
    if (span.version > before) continue;
    chain.unshift(span);
    before = span.after;
  }
  return chain;
}

/**
 * Counts from the text of a fold.
 * @throws LakeError table_corrupt
 */
export function parseFold(text: string, version: number, path: string): CommitCounts[] {
  try {
    const { accounts } = JSON.parse(text) as Fold;
    return accounts.map((counts) => ({ differing: {}, ...counts, version, folded: true }));
  } catch (error) {
    throw new LakeError('table_corrupt', `${path} is not a file of counts`, { cause: error });
  }
}

/** Sum counts in the order of the log: one sum per stream, one for removals. Pure. */
export function foldCounts(commits: readonly CommitCounts[]): Fold['accounts'] {
  const sums = new Map<string, ReturnType<typeof beginFold>>();
  for (const { flush, days, received, ...named } of commits) {
    const key = flush?.appId ?? '';
    const sum = sums.get(key) ?? beginFold(flush);
    sums.set(key, sum);
    if (sum.flush && flush) {
      sum.flush.firstSequence = Math.min(sum.flush.firstSequence, flush.firstSequence);
      sum.flush.lastSequence = Math.max(sum.flush.lastSequence, flush.lastSequence);
    }
    for (const [day, counts] of Object.entries(days)) sum.days[day] = addCounts(sum.days[day] ?? {}, counts);
    if (received) sum.received = addReceived(sum.received ?? {}, received);
    for (const kind of ['duplicates', 'differing', 'erased'] as const)
      for (const [receipt, positions] of Object.entries(named[kind]))
        sum[kind][receipt] = [sum[kind][receipt], positions].filter(Boolean).join(',');
  }
  return [...sums.values()];
}

function beginFold(flush: CommitCounts['flush']): Omit<CommitCounts, 'folded' | 'version'> {
  return { ...(flush ? { flush: { ...flush } } : {}), days: {}, duplicates: {}, differing: {}, erased: {} };
}

/** Sum of two days' counts. */
export function addCounts(a: DayCounts, b: DayCounts): DayCounts {
  const sum: DayCounts = { ...a };
  for (const [name, count] of Object.entries(b) as [keyof DayCounts, number][]) sum[name] = (sum[name] ?? 0) + count;
  return sum;
}

/** Sum of what segments sent. */
export function addReceived(a: ReceivedByDay, b: ReceivedByDay): ReceivedByDay {
  const sum = { ...a };
  for (const [day, segments] of Object.entries(b)) {
    const ofDay = { ...sum[day] };
    for (const [segment, counts] of Object.entries(segments)) ofDay[segment] = addSegment(ofDay[segment] ?? {}, counts);
    sum[day] = ofDay;
  }
  return sum;
}

function addSegment(a: SegmentCounts, b: SegmentCounts): SegmentCounts {
  const sum: SegmentCounts = { ...a };
  for (const [name, count] of Object.entries(b) as [keyof SegmentCounts, number][])
    sum[name] = (sum[name] ?? 0) + count;
  return sum;
}

/** Writes the counts of some entries as a fold; the same entries give the same file. */
export async function writeFold(
  storage: Storage,
  root: string,
  { after, version, counts }: Span & { counts: readonly CommitCounts[] },
): Promise<void> {
  const fold: Fold = { accounts: foldCounts(counts) };
  const name = `${paddedVersion(after + 1)}-${paddedVersion(version)}.json`;
  const body = Buffer.from(JSON.stringify({ ...fold, foldedAt: new Date().toISOString() }));
  await storage.putIfAbsent(foldPath(root, name), body);
}

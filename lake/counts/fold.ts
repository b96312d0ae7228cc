import { LakeError } from '../errors.ts';
import type { Storage } from '../storage/storage.ts';
import type { CommitCounts, DayCounts } from './commits.ts';
import { paddedVersion } from '../delta/paddedVersion.ts';

/**
 * Log entries are deleted some time after a checkpoint, and with them what they say of the events they brought. Before that,
 * it is added up into a file of its own beside the tables: `accounts/<table>/tenant=<t>/<first>-<last version>.json`. A file is
 * never changed.
 */
interface Fold {
  accounts: Omit<CommitCounts, 'folded' | 'version'>[];
}

/** Log entries whose accounts a file holds: after one version, up to another. */
interface Span {
  after: number;
  version: number;
}

/** Where a table's folded accounts lie. */
export function foldPath(root: string, name: string): string {
  return `accounts/${root}/${name}`;
}

/** The entries a file of folded accounts is about, or undefined where it is none. */
export function foldSpan(path: string): Span | undefined {
  const match = /\/(\d{20})-(\d{20})\.json$/.exec(path);
  return match ? { after: Number(match[1]) - 1, version: Number(match[2]) } : undefined;
}

/**
 * Pure: the files that together hold everything once, in order. Two processes may have folded the same entries at once, one of
 * them more than the other: then the longer one counts, from its own beginning.
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

/** Accounts as kept in a file. @throws LakeError table_corrupt */
export function parseFold(text: string, version: number, path: string): CommitCounts[] {
  try {
    const { accounts } = JSON.parse(text) as Fold;
    return accounts.map((account) => ({ ...account, version, folded: true }));
  } catch (error) {
    throw new LakeError('table_corrupt', `${path} is not a file of accounts`, { cause: error });
  }
}

/** Pure: the sums of accounts in the order of the log: one for each stream, and one for what was taken away. */
export function foldCounts(accounts: readonly CommitCounts[]): Fold['accounts'] {
  const sums = new Map<string, Fold['accounts'][number]>();
  for (const { flush, days, duplicates, erased } of accounts) {
    const key = flush?.appId ?? '';
    const sum = sums.get(key) ?? { ...(flush ? { flush: { ...flush } } : {}), days: {}, duplicates: {}, erased: {} };
    sums.set(key, sum);
    if (sum.flush && flush) {
      sum.flush.firstSequence = Math.min(sum.flush.firstSequence, flush.firstSequence);
      sum.flush.lastSequence = Math.max(sum.flush.lastSequence, flush.lastSequence);
    }
    for (const [day, counts] of Object.entries(days)) sum.days[day] = addCounts(sum.days[day] ?? {}, counts);
    for (const kind of ['duplicates', 'erased'] as const)
      for (const [receipt, positions] of Object.entries({ duplicates, erased }[kind]))
        sum[kind][receipt] = [sum[kind][receipt], positions].filter(Boolean).join(',');
  }
  return [...sums.values()];
}

/** Sums of two days' counts. */
export function addCounts(a: DayCounts, b: DayCounts): DayCounts {
  const sum: DayCounts = { ...a };
  for (const [name, count] of Object.entries(b) as [keyof DayCounts, number][]) sum[name] = (sum[name] ?? 0) + count;
  return sum;
}

/** Keeps the accounts of some entries. Keeping the same ones again changes nothing. */
export async function keepFold(
  storage: Storage,
  root: string,
  { after, version, accounts }: Span & { accounts: readonly CommitCounts[] },
): Promise<void> {
  const fold: Fold = { accounts: foldCounts(accounts) };
  const name = `${paddedVersion(after + 1)}-${paddedVersion(version)}.json`;
  const body = Buffer.from(JSON.stringify({ ...fold, foldedAt: new Date().toISOString() }));
  await storage.putIfAbsent(foldPath(root, name), body);
}

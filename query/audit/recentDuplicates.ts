import type { CommitCounts } from '../../lake/counts/commitCounts.ts';
import { countsOf } from '../../lake/counts/commits.ts';
import { parseActions } from '../../lake/delta/actions.ts';
import { entryPath } from '../../lake/delta/log.ts';
import type { Storage } from '../../lake/storage/storage.ts';

/** Resends that the newest commits dropped. */
export interface RecentDuplicates {
  tenantId: string;
  /** First UTC day of receipt among the commits; null: they have no event. */
  from: string | null;
  accepted: number;
  /** Resends that were dropped. */
  duplicate: number;
  /** Those whose content is not that of the first event. */
  differing: number;
  /** Receipts of batches with such events, the newest first. */
  receipts: string[];
}

/** Commits that an answer covers. */
const COMMITS = 256;
const READS_AT_ONCE = 32;
const RECEIPTS = 20;

/**
 * Read the duplicates in the newest commits of a tenant's events.
 * @param version newest version of the table
 * @throws LakeError storage_unavailable, table_corrupt
 */
export async function readRecentDuplicates(
  storage: Storage,
  { tenantId, root, version }: { tenantId: string; root: string; version: number },
): Promise<RecentDuplicates> {
  const commits: CommitCounts[] = [];
  const first = Math.max(0, version - COMMITS + 1);
  const read = async (at: number): Promise<CommitCounts | undefined> => {
    const path = entryPath(root, at);
    const body = await storage.get(path);
    return body && countsOf(parseActions(Buffer.from(body).toString('utf8'), path), at);
  };
  for (let at = version; at >= first; at -= READS_AT_ONCE) {
    const count = Math.min(READS_AT_ONCE, at - first + 1);
    const found = await Promise.all(Array.from({ length: count }, (_, index) => read(at - index)));
    commits.push(...found.filter((counts) => counts !== undefined));
  }
  return { tenantId, ...sumDuplicates(commits) };
}

/** Sum commits, the newest first. Pure. */
export function sumDuplicates(commits: readonly CommitCounts[]): Omit<RecentDuplicates, 'tenantId'> {
  const sum = { from: null as string | null, accepted: 0, duplicate: 0, differing: 0 };
  for (const [day, counts] of commits.flatMap(({ days }) => Object.entries(days))) {
    if (sum.from === null || day < sum.from) sum.from = day;
    for (const name of ['accepted', 'duplicate', 'differing'] as const) sum[name] += counts[name] ?? 0;
  }
  return { ...sum, receipts: commits.flatMap(({ differing }) => Object.keys(differing)).slice(0, RECEIPTS) };
}

import { parseActions } from '../../lake/delta/actions.ts';
import { entryPath } from '../../lake/delta/log.ts';
import type { Storage } from '../../lake/storage/storage.ts';
import type { CommitCounts } from '../../lake/counts/commitCounts.ts';
import { countsOf, listFolds, readPlace } from '../../lake/counts/commits.ts';

/** A message of a stream. */
interface Message {
  appId: string;
  sequence: number;
}

/**
 * Find the flush that brought a message, by binary search of the log.
 *
 * A stream's flushes follow each other in the log, so the first one that reaches the message brought it. Entries are read by
 * version. A log of any length costs about a dozen reads.
 *
 * The result is undefined if the message is not committed, or had no event for the table.
 * @param newest version of the table
 * @throws LakeError storage_unavailable, table_corrupt
 */
export async function findFlush(
  storage: Storage,
  root: string,
  { newest, ...message }: Message & { newest: number },
): Promise<CommitCounts | undefined> {
  // Search the cleaned entries first: the oldest remaining flush may repeat their messages.
  const folds = await listFolds(storage, root);
  const folded = await halve(folds.length, (at) => readPlace(storage, folds[at]!), message);
  return folded ?? halve(newest + 1, (version) => readEntry(storage, root, version), message);
}

/** Read the counts of a log entry. If it is `cleaned`, so are all earlier ones. */
async function readEntry(storage: Storage, root: string, version: number): Promise<CommitCounts[] | 'cleaned'> {
  const path = entryPath(root, version);
  const body = await storage.get(path);
  if (!body) return 'cleaned';
  const account = countsOf(parseActions(Buffer.from(body).toString('utf8'), path), version);
  return account ? [account] : [];
}

/** Find the first flush that reaches the message, if it holds it. */
async function halve(
  count: number,
  read: (at: number) => Promise<CommitCounts[] | 'cleaned'>,
  { appId, sequence }: Message,
): Promise<CommitCounts | undefined> {
  let low = 0;
  let high = count;
  let reaching: CommitCounts | undefined;
  while (low < high) {
    const middle = (low + high) >>> 1;
    let at = middle;
    let flushes: CommitCounts[] = [];
    // Skip commits that are not flushes.
    for (; at < high && flushes.length === 0; at++) {
      const accounts = await read(at);
      if (accounts !== 'cleaned') flushes = accounts.filter(({ flush }) => flush?.appId === appId);
      else if (at === middle) break;
    }
    const found = flushes.find(({ flush }) => flush!.lastSequence >= sequence);
    reaching = found ?? reaching;
    if (found || (flushes.length === 0 && at === high)) high = middle;
    else low = flushes.length === 0 ? middle + 1 : at;
  }
  return reaching && reaching.flush!.firstSequence <= sequence ? reaching : undefined;
}

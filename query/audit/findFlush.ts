import { parseActions } from '../../lake/delta/actions.ts';
import { entryPath } from '../../lake/delta/log.ts';
import type { Storage } from '../../lake/storage/storage.ts';
import { countsOf, listFolds, readPlace, type CommitCounts } from '../../lake/counts/commits.ts';

/** A message of a stream. */
interface Message {
  appId: string;
  sequence: number;
}

/**
 * The flush that brought a message: the first that reaches it, found by halving, since a stream's flushes follow each other in
 * the log. Versions are asked for by their names, so that a log of any length costs a dozen reads. Undefined where the
 * message is not committed, or had nothing for the table as far as can be told.
 * @param newest version of the table
 * @throws LakeError storage_unavailable, table_corrupt
 */
export async function findFlush(
  storage: Storage,
  root: string,
  { newest, ...message }: Message & { newest: number },
): Promise<CommitCounts | undefined> {
  // First what was cleaned away: the first flush that is left may reach back to messages that an earlier one had brought.
  const folds = await listFolds(storage, root);
  const folded = await halve(folds.length, (at) => readPlace(storage, folds[at]!), message);
  return folded ?? halve(newest + 1, (version) => readEntry(storage, root, version), message);
}

/** What an entry says; `cleaned` where it is not there any more, and then none before it is. */
async function readEntry(storage: Storage, root: string, version: number): Promise<CommitCounts[] | 'cleaned'> {
  const path = entryPath(root, version);
  const body = await storage.get(path);
  if (!body) return 'cleaned';
  const account = countsOf(parseActions(Buffer.from(body).toString('utf8'), path), version);
  return account ? [account] : [];
}

/** The first flush among so many places that reaches the message, if it holds it. */
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
    // Other commits lie between: on to the next flush.
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

import { parseActions } from '../../lake/delta/actions.ts';
import { entryPath } from '../../lake/delta/log.ts';
import { streamEpoch } from '../../schemas/receipt.ts';
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
  message: Message,
): Promise<CommitCounts | undefined> {
  let low = 0;
  let high = count;
  let reaching: CommitCounts | undefined;
  while (low < high) {
    const middle = (low + high) >>> 1;
    let at = middle;
    let place: Place | undefined;
    let cleaned = false;
    // Skip commits that are not flushes of the stream.
    for (; at < high && !place && !cleaned; at++) {
      const accounts = await read(at);
      if (accounts !== 'cleaned') place = placeOf(accounts, message);
      else cleaned = at === middle;
    }
    if (typeof place === 'object') reaching = place;
    if (cleaned) low = middle + 1;
    else if (place === 'before') low = at;
    else high = middle;
  }
  return reaching && reaching.flush!.firstSequence <= message.sequence ? reaching : undefined;
}

/** The flush that reaches a message, or where this commit is: before that flush, or after it. */
type Place = CommitCounts | 'before' | 'after';

/** Undefined if the commit has no flush of the stream. A recreated stream has another creation time in its `appId`. */
function placeOf(accounts: readonly CommitCounts[], { appId, sequence }: Message): Place | undefined {
  const [name, created] = appId.split('@');
  const flushes = accounts.filter(({ flush }) => flush?.appId.split('@')[0] === name);
  const own = flushes.filter(({ flush }) => flush!.appId === appId);
  if (own.length > 0) return own.find(({ flush }) => flush!.lastSequence >= sequence) ?? 'before';
  const other = flushes[0]?.flush!.appId.split('@')[1];
  if (other === undefined) return undefined;
  return streamEpoch(other) < streamEpoch(created!) ? 'before' : 'after';
}

import { LakeError } from '../errors.ts';
import type { Storage } from '../storage/storage.ts';
import { parseActions, type AddFile, type RemoveFile } from './actions.ts';
import { entryPath, entryVersion } from './log.ts';

/** Changes of a table's rows by one commit. */
export interface Change {
  version: number;
  /** Time of the commit in milliseconds since 1970; undefined if the writer omits it. */
  committedAtMs: number | undefined;
  added: AddFile[];
  removed: RemoveFile[];
}

/** Number of concurrent reads. */
const READS_AT_ONCE = 32;

/**
 * Read the commits of a range of versions that changed rows, in order.
 * Compactions and commits without files are omitted.
 * @param range.after the version before the range; -1: from the first commit on
 * @throws LakeError changes_gone if the log no longer has the first commit; table_corrupt, storage_unavailable
 */
export async function* readChanges(
  storage: Storage,
  root: string,
  { after, upTo }: { after: number; upTo: number },
): AsyncGenerator<Change> {
  if (after >= upTo) return;
  await refuseGap(storage, root, after);
  for (let at = after + 1; at <= upTo; at += READS_AT_ONCE) {
    const versions = Array.from({ length: Math.min(READS_AT_ONCE, upTo - at + 1) }, (_, index) => at + index);
    for (const change of await Promise.all(versions.map((version) => readChange(storage, root, version)))) {
      if (change.added.length + change.removed.length > 0) yield change;
    }
  }
}

/** Check for the first entry. Logs are cleaned from the start, so the others exist too. */
async function refuseGap(storage: Storage, root: string, after: number): Promise<void> {
  let oldest: number | undefined;
  const before = after > 0 ? entryPath(root, after) : undefined;
  for await (const { path } of storage.list(`${root}/_delta_log/`, before)) {
    oldest = entryVersion(path.slice(path.lastIndexOf('/') + 1));
    if (oldest !== undefined && oldest > after) break;
  }
  if (oldest !== after + 1) throw gone(root, after, oldest);
}

async function readChange(storage: Storage, root: string, version: number): Promise<Change> {
  const path = entryPath(root, version);
  const body = await storage.get(path);
  if (!body) throw gone(root, version - 1);
  const change: Change = { version, committedAtMs: undefined, added: [], removed: [] };
  for (const action of parseActions(Buffer.from(body).toString('utf8'), path)) {
    if ('add' in action && action.add.dataChange) change.added.push(action.add);
    else if ('remove' in action && action.remove.dataChange) change.removed.push(action.remove);
    else if ('commitInfo' in action && typeof action.commitInfo.timestamp === 'number')
      change.committedAtMs = action.commitInfo.timestamp;
  }
  return change;
}

function gone(root: string, after: number, oldest?: number): LakeError {
  const begins = oldest === undefined ? '' : `, its log begins with version ${oldest}`;
  return new LakeError(
    'changes_gone',
    `The changes of ${root} after version ${after} are no longer in the log${begins}. ` +
      'List all of its files (omit "since"), replace your data by them, and continue from the version in that answer.',
  );
}

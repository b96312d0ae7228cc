import { randomUUID } from 'node:crypto';
import { LakeError } from '../errors.ts';
import type { Storage } from '../storage/storage.ts';
import { writeCheckpoint } from './checkpoint.ts';
import { commitFacts } from './commitFacts.ts';
import { readRawEntries, type HistoryEntry } from './history.ts';
import { IN_PROCESS } from './inProcessCheckpoints.ts';
import { readVersion, writeEntry } from './log.ts';
import { planRestore } from './restorePlan.ts';

/** Result of a restore. */
export interface Restored {
  /** Newest version of the table now; in a dry run, before. */
  version: number;
  /** Commits of other engines since the version, which no longer count. */
  undone: HistoryEntry[];
  /** Files that came back. */
  returned: number;
}

const MAX_TRIES = 20;

/**
 * Undo what other engines did to a table since a version, in one commit. Our own commits stay (restorePlan.ts).
 *
 * A checkpoint of the restored version follows, so that readers skip entries that they cannot read. A repetition writes
 * what is missing.
 * @throws LakeError restore_impossible, version_gone, version_unknown, table_corrupt, storage_unavailable
 */
export async function restoreTable(
  storage: Storage,
  root: string,
  { version, dryRun }: { version: number; dryRun: boolean },
): Promise<Restored> {
  const base = await readVersion(storage, root, { version, checkpoints: IN_PROCESS });
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const nowMs = await storage.now();
    const entries = await readRawEntries(storage, root, { after: version });
    const { restored, actions, undone, returning } = planRestore(base, entries, { table: root, nowMs });
    for (const { path } of returning) await mustExist(storage, `${root}/${path}`);
    const result = { version: restored.version, undone, returned: returning.length };
    if (dryRun) return { ...result, version: entries.at(-1)?.version ?? version };
    const info = {
      timestamp: nowMs,
      engineInfo: 'spor',
      operation: 'RESTORE',
      operationParameters: { version: String(version), reason: 'undo of other engines' },
      txnId: randomUUID(),
      ...commitFacts(actions, restored.version - 1),
    };
    const written =
      actions.length === 0 || (await writeEntry(storage, root, restored.version, [{ commitInfo: info }, ...actions]));
    if (!written) continue;
    await writeCheckpoint(storage, root, restored, { format: IN_PROCESS, now: nowMs });
    return result;
  }
  throw new LakeError('storage_unavailable', `${root}: ${MAX_TRIES} commits in a row conflicted`, {
    retryAfterSeconds: 5,
  });
}

async function mustExist(storage: Storage, path: string): Promise<void> {
  if (await storage.has(path)) return;
  throw new LakeError('restore_impossible', `${path} cannot come back: it is no longer in the store`);
}

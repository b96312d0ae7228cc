import { LakeError } from '../errors.ts';
import { PROTOCOL, readAction, type Action, type AddFile, type MetaData } from './actions.ts';
import { ERASURES_ID, refusal } from './guards.ts';
import { historyEntry, type HistoryEntry, type RawEntry } from './history.ts';
import type { Snapshot } from './snapshot.ts';

/** The commit that undoes what other engines did to a table since a version. */
export interface RestorePlan {
  /** The table after the commit, whose version is that of the newest entry plus one. */
  restored: Snapshot;
  /** Empty if nothing of another engine is left to undo. */
  actions: Action[];
  /** Commits of other engines since the version. */
  undone: HistoryEntry[];
  /** Files that come back, which must still be in the store. */
  returning: AddFile[];
}

/**
 * Plan the undo of other engines' commits since a version. Pure.
 *
 * Our own commits since then stay, and so do all stream positions. So nothing that the stream holds is lost or doubled.
 * @param base the table at the version
 * @throws LakeError restore_impossible if a commit of ours rests on one of theirs, or rows that come back may be erased ones
 */
export function planRestore(
  base: Snapshot,
  entries: readonly RawEntry[],
  { table, nowMs }: { table: string; nowMs: number },
): RestorePlan {
  const impossible = (why: string): LakeError => new LakeError('restore_impossible', `${table}: ${why}`);
  const current = new Map<string, Record<string, unknown> | AddFile>(base.files);
  const wanted = new Map(base.files);
  const txns = new Map(base.txns);
  const foreign = new Set<string>();
  let protocol: unknown = base.protocol;
  let metaData: MetaData | undefined = base.metaData;
  let described: unknown = base.metaData;
  let removedSinceMs = Infinity;
  for (const entry of entries) {
    const { version, isOurs, commitInfo } = entry;
    protocol = entry.protocol ?? protocol;
    described = entry.metaData ?? described;
    for (const txn of entry.txns) txns.set(String(txn.appId), Number(txn.version));
    for (const remove of entry.removes) {
      const path = pathOf(remove);
      current.delete(path);
      if (!isOurs) removedSinceMs = Math.min(removedSinceMs, Number(remove.deletionTimestamp ?? 0));
      else if (wanted.has(path)) wanted.delete(path);
      else if (commitInfo.operation !== 'RESTORE') {
        throw impossible(
          `commit ${version} of Spor replaced a file of another engine. Restore a version from ${version} on`,
        );
      }
    }
    for (const add of entry.adds) {
      const path = pathOf(add);
      current.set(path, add);
      if (!isOurs) foreign.add(path);
      else if (!foreign.has(path) || wanted.has(path)) wanted.set(path, ours(add, table));
    }
    if (isOurs && entry.metaData) metaData = { configuration: {}, ...entry.metaData } as unknown as MetaData;
  }
  const isKept = (path: string): boolean => wanted.has(path) && !isChanged(current.get(path));
  const leaving = [...current].filter(([path]) => !isKept(path));
  const returning = [...wanted.values()].filter(({ path }) => !isKept(path));
  if (returning.length > 0) {
    const erasures = base.txns.get(ERASURES_ID) ?? 0;
    const reason = refusal({ txns }, { unusedSinceMs: removedSinceMs, erasures });
    if (reason !== undefined) throw impossible(`${reason}. Files that other engines removed cannot come back`);
  }
  const actions: Action[] = [
    ...(JSON.stringify(protocol) === JSON.stringify(PROTOCOL) ? [] : [{ protocol: PROTOCOL }]),
    ...(JSON.stringify(described) === JSON.stringify(metaData) || !metaData ? [] : [{ metaData }]),
    ...leaving.map(([path, file]) => removal(path, file, nowMs)),
    ...returning.map((file) => ({ add: { ...file, dataChange: true } })),
  ];
  const newest = entries.at(-1)?.version ?? base.version;
  const version = actions.length > 0 ? newest + 1 : newest;
  return {
    restored: { ...base, version, protocol: PROTOCOL, metaData, files: wanted, txns, checkpoint: -1 },
    actions,
    undone: entries.filter(({ isOurs }) => !isOurs).map(historyEntry),
    returning,
  };
}

/** Whether another engine marked rows of a file as deleted. */
function isChanged(file: Record<string, unknown> | AddFile | undefined): boolean {
  return file === undefined || isObject((file as Record<string, unknown>).deletionVector);
}

function pathOf(action: Record<string, unknown>): string {
  return decodeURIComponent(String(action.path));
}

function ours(add: Record<string, unknown>, table: string): AddFile {
  const action = readAction({ add }, table);
  if (!action || !('add' in action)) throw new LakeError('table_corrupt', `${table}: an add of Spor cannot be read`);
  return action.add;
}

/** Remove of a file, with its deletion vector: both are its identity (Delta protocol, "Deletion Vectors"). */
function removal(path: string, file: Record<string, unknown> | AddFile, deletionTimestamp: number): Action {
  const { partitionValues, size, deletionVector } = file as Record<string, unknown> & AddFile;
  const remove = { path, deletionTimestamp, dataChange: true, extendedFileMetadata: true, partitionValues, size };
  return { remove: isObject(deletionVector) ? { ...remove, deletionVector } : remove } as Action;
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null;
}

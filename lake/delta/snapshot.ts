import { LakeError } from '../errors.ts';
import type { Action, AddFile, MetaData, Protocol, RemoveFile } from './actions.ts';

/** Immutable state of a table at one version. */
export interface Snapshot {
  /** -1: the table does not exist yet. */
  version: number;
  protocol: Protocol | undefined;
  metaData: MetaData | undefined;
  /** Live data files by path. */
  files: ReadonlyMap<string, AddFile>;
  /** Committed position of each application. */
  txns: ReadonlyMap<string, number>;
  /** Version of its checkpoint; -1: read from the start of the log. */
  checkpoint: number;
  /** Files removed after `checkpoint`, by path. Only vacuum reads those before it. */
  tombstones: ReadonlyMap<string, RemoveFile>;
}

/** One log entry. */
export interface Commit {
  version: number;
  actions: readonly Action[];
}

export const NO_TABLE: Snapshot = {
  version: -1,
  protocol: undefined,
  metaData: undefined,
  files: new Map(),
  txns: new Map(),
  checkpoint: -1,
  tombstones: new Map(),
};

/**
 * Apply consecutive commits to a snapshot.
 * The latest protocol, metaData, txn of an appId, and action of a path count (Delta protocol, "Action Reconciliation").
 * @throws LakeError table_corrupt if a version is missing, or the first entry lacks protocol or metaData
 */
export function replayActions(base: Snapshot, commits: readonly Commit[], table: string): Snapshot {
  if (commits.length === 0) return base;
  let { version, protocol, metaData } = base;
  const files = new Map(base.files);
  const txns = new Map(base.txns);
  const tombstones = new Map(base.tombstones);
  for (const commit of commits) {
    if (commit.version !== version + 1) {
      throw new LakeError(
        'table_corrupt',
        `${table}: log entry ${version + 1} is missing, the next is ${commit.version}`,
      );
    }
    version = commit.version;
    // One entry may remove and add a path; removes count first.
    for (const action of commit.actions) {
      if (!('remove' in action)) continue;
      files.delete(action.remove.path);
      tombstones.set(action.remove.path, action.remove);
    }
    for (const action of commit.actions) {
      if ('protocol' in action) protocol = action.protocol;
      else if ('metaData' in action) metaData = action.metaData;
      else if ('txn' in action) txns.set(action.txn.appId, action.txn.version);
      else if ('add' in action) {
        files.set(action.add.path, action.add);
        tombstones.delete(action.add.path);
      }
    }
  }
  if (!protocol || !metaData)
    throw new LakeError('table_corrupt', `${table}: the log has no protocol or metaData action`);
  return { version, protocol, metaData, files, txns, checkpoint: base.checkpoint, tombstones };
}

/** Whether a file is in the table, or was removed lately. */
export function wasAdded({ files, tombstones }: Pick<Snapshot, 'files' | 'tombstones'>, path: string): boolean {
  return files.has(path) || tombstones.has(path);
}

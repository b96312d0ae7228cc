import type { AddFile } from './actions.ts';
import type { MadeFrom } from './guards.ts';
import type { FileStats } from './stats.ts';

/** A finished, uploaded data file that is to become part of the table. */
export interface NewFile {
  /** Relative to the table's root, not URL-encoded: `segment=web/date=2026-11-23/….parquet`. */
  path: string;
  /** Bytes. */
  size: number;
  rows: number;
  partitionValues: Record<string, string>;
  stats: FileStats;
  /** Absent: those of a file with the table's columns. */
  tags?: Record<string, string>;
}

export interface AppendCommit {
  files: readonly NewFile[];
  txn: {
    appId: string;
    /** How far the application is once this commit is in the table. */
    version: number;
    /** How far it was when the files were planned; undefined: never. Anything else in the table is a TxnConflictError. */
    expected: number | undefined;
    /** The writer's fencing epoch; a higher fence in the table is a TxnConflictError. Absent: any new fence is. */
    epoch?: number;
  };
  /** When the upload of the files began, in milliseconds since 1970: a vacuum of files that old is a TxnConflictError. Absent: now. */
  unusedSinceMs?: number;
  /** Entries of the tenant's list of erasures that the rows respect; a longer list is a TxnConflictError. Absent: 0. */
  erasures?: number;
  /** Goes into commitInfo, for people. */
  info: Record<string, unknown>;
}

export interface ReplaceCommit {
  /** Live files, as the snapshot that was planned on has them. */
  remove: readonly AddFile[];
  add: readonly NewFile[];
  /** Whether rows change; false where the same rows are only arranged anew. */
  dataChange: boolean;
  /** Since when the files to add lie unused in the store, as with append; for files removed once, since their removal. */
  unusedSinceMs: number;
  /** As with append, for rows that come from elsewhere than the files removed; absent: there are none. */
  erasures?: number;
  /** For rows made from those of another table: people erased from that one later are a TxnConflictError. */
  madeFrom?: MadeFrom;
  /** How far an application is with this commit, and was when it was planned; anything else in the table is a TxnConflictError. */
  txn?: { appId: string; version: number; expected: number | undefined };
  /** Puts the table's schema anew, whatever its types were, where the commit removes every file of the table. */
  overwriteSchema?: boolean;
  info: Record<string, unknown>;
}

export interface FenceCommit {
  appId: string;
  /** The new owner's epoch. Commits of `append` with a lower epoch can not succeed any more. */
  version: number;
  info: Record<string, unknown>;
}

export interface RaiseCommit {
  /** Name among the table's txns (guards.ts). */
  id: string;
  version: number;
  info: Record<string, unknown>;
}

export interface ConfigureCommit {
  name: string;
  /** Undefined: removed. */
  value: string | undefined;
  info: Record<string, unknown>;
}

import type { Action, AddFile } from './actions.ts';
import type { MadeFrom } from './guards.ts';
import { COLUMNS_TAG } from './schema.ts';
import { STORED_THROUGH_TAG } from './storedThrough.ts';
import { formatStats, type FileStats } from './stats.ts';

/** An uploaded data file to add to a table. */
export interface NewFile {
  /** Relative to the table's root, not URL-encoded: `segment=web/date=2026-11-23/….parquet`. */
  path: string;
  /** Bytes. */
  size: number;
  rows: number;
  /** Values of the partition columns below the table's root. */
  partitionValues: Record<string, string>;
  stats: FileStats;
  /** Time by which the stream had stored all rows, in milliseconds since 1970. Absent: the commit. */
  storedThroughMs?: number;
  /** Absent: the tags of a file with the table's columns. */
  tags?: Record<string, string>;
}

/** A file of a table, to be added again; undefined without statistics, as of another tool. */
export function asNewFile({ path, size, partitionValues, stats, tags }: AddFile): NewFile | undefined {
  if (stats === undefined) return undefined;
  const parsed = JSON.parse(stats) as FileStats;
  const values = Object.entries(partitionValues).flatMap(([name, value]) => (value === null ? [] : [[name, value]]));
  const partition = Object.fromEntries(values) as Record<string, string>;
  return { path, size, rows: parsed.numRecords, partitionValues: partition, stats: parsed, ...(tags ? { tags } : {}) };
}

/** Action that adds a file, at a time by the store's clock. */
export function addAction(
  file: NewFile,
  {
    dataChange,
    nowMs,
    columnsTag,
    partition,
  }: { dataChange: boolean; nowMs: number; columnsTag: string; partition: Readonly<Record<string, string>> },
): Action {
  return {
    add: {
      path: file.path,
      partitionValues: { ...partition, ...file.partitionValues },
      size: file.size,
      modificationTime: nowMs,
      dataChange,
      stats: formatStats({ ...file.stats, numRecords: file.rows }),
      tags: {
        [STORED_THROUGH_TAG]: String(file.storedThroughMs ?? nowMs),
        ...(file.tags ?? { [COLUMNS_TAG]: columnsTag }),
      },
    },
  };
}

export interface AppendCommit {
  files: readonly NewFile[];
  txn: {
    appId: string;
    /** Position of the application after this commit. */
    version: number;
    /** Position when the files were planned; undefined: none. Any other is a TxnConflictError. */
    expected: number | undefined;
    /** Store time of the message at the position, in milliseconds since 1970. */
    storedMs?: number;
    /** Position up to which the application's whole shard is committed with this commit. */
    shardPosition?: number;
    /** Fencing epoch of the writer. A higher fence is a TxnConflictError; without an epoch, any new fence. */
    epoch?: number;
  };
  /** Start of the upload, in milliseconds since 1970; absent: now. A vacuum of files of that age is a TxnConflictError. */
  unusedSinceMs?: number;
  /** Number of erasures that the rows respect; absent: 0. A longer list is a TxnConflictError. */
  erasures?: number;
  /** Facts for commitInfo. */
  info: Record<string, unknown>;
}

export interface ReplaceCommit {
  /** Live files of the snapshot that was planned on. */
  remove: readonly AddFile[];
  add: readonly NewFile[];
  /** False if the same rows are only arranged anew. */
  dataChange: boolean;
  /** As with append; for files that were removed before, the time of their removal. */
  unusedSinceMs: number;
  /** As with append, for rows that are not from the removed files; absent: none. */
  erasures?: number;
  /** Source table of derived rows. A later erasure in it is a TxnConflictError. */
  madeFrom?: MadeFrom;
  /** Position of an application after this commit, and when it was planned; any other is a TxnConflictError. */
  txn?: { appId: string; version: number; expected: number | undefined };
  /** Replace the schema, also its types. The commit must remove every file of the table. */
  overwriteSchema?: boolean;
  info: Record<string, unknown>;
}

export interface FenceCommit {
  appId: string;
  /** Epoch of the new owner. Appends with a lower epoch conflict from now on. */
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
  /** Properties by name; undefined: remove the property. */
  set: Record<string, string | undefined>;
  info: Record<string, unknown>;
}

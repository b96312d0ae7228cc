import type { Snapshot } from './snapshot.ts';

/**
 * Guards: extra entries in a table's `txn` map, besides stream positions.
 * A commit that was planned before a vacuum or an erasure conflicts with them, even if the file list alone would allow it.
 * Guards need no clock. The version of the pending commit is taken, so its next try reads them.
 */

/** Time of a vacuum: files unused since before it may be deleted. Milliseconds since 1970. */
export const VACUUM_ID = 'spor/vacuum';
/** Number of erasures that the rows of the table must respect. */
export const ERASURES_ID = 'spor/erasures';

/** The version of another table from which rows are derived. */
export interface MadeFrom {
  /** Id of the table's metaData, because a recreated table counts from 0. */
  tableId: string;
  version: number;
}

/**
 * Name of a derived table's guard: the source's first version without erased people.
 * The length of the list is no substitute, because the source has it before its own files are rewritten.
 */
export function cleanSinceId(tableId: string): string {
  return `spor/clean-since/${tableId}`;
}

/** Facts about the files that a commit adds. */
export interface AddedFiles {
  /** Since when the files are unused in the store, in milliseconds since 1970. */
  unusedSinceMs: number;
  /** Number of erasures that the rows respect; undefined: no new rows. */
  erasures: number | undefined;
  /** Source of derived rows. */
  madeFrom?: MadeFrom | undefined;
}

/** Name of an application's fence. */
export function fenceId(appId: string): string {
  return `${appId}/fence`;
}

/** Find the guard that forbids a commit; undefined if none does. */
export function refusal({ txns }: Pick<Snapshot, 'txns'>, files: AddedFiles): string | undefined {
  const vacuumed = txns.get(VACUUM_ID);
  if (vacuumed !== undefined && files.unusedSinceMs <= vacuumed) {
    return `the files were uploaded before ${new Date(vacuumed).toISOString()}, and may have been vacuumed since`;
  }
  const erasures = txns.get(ERASURES_ID) ?? 0;
  if (files.erasures !== undefined && files.erasures < erasures) {
    return `the rows respect ${files.erasures} of ${erasures} erasures`;
  }
  const cleanSince = files.madeFrom && txns.get(cleanSinceId(files.madeFrom.tableId));
  if (files.madeFrom && cleanSince !== undefined && files.madeFrom.version < cleanSince) {
    return `the rows were made from version ${files.madeFrom.version}, and people were erased up to version ${cleanSince}`;
  }
  return undefined;
}

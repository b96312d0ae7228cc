import type { Snapshot } from './snapshot.ts';

/**
 * What stands in a table's txns, besides how far streams are, so that a commit planned long ago cannot succeed on a table
 * that has changed meanwhile in a way files alone do not show. Like the fence, it needs no clock at the moment of the commit:
 * the version it is about to create is taken, and on the next try it sees them.
 */

/** Files that lay unused until this time, in milliseconds since 1970, may have been deleted by vacuum. */
export const VACUUM_ID = 'spor/vacuum';
/** How many entries of the tenant's list of erasures the rows of the table must respect. */
export const ERASURES_ID = 'spor/erasures';

/** A version of the table that rows were made from. */
export interface MadeFrom {
  /** Id of that table's metaData: a table that was made anew counts its versions anew. */
  tableId: string;
  version: number;
}

/**
 * Name under which a table whose rows are made from another keeps that one's first version without those who are erased.
 * The length of the list would not do: the other table is marked with it before its own files are rewritten.
 */
export function cleanSinceId(tableId: string): string {
  return `spor/clean-since/${tableId}`;
}

/** What a commit that adds files knows of them. */
export interface AddedFiles {
  /** Since when they lie in the store without being part of the table, in milliseconds since 1970. */
  unusedSinceMs: number;
  /** How many entries of the tenant's list of erasures their rows respect; undefined: they bring no new rows. */
  erasures: number | undefined;
  /** Where the rows were made from those of another table. */
  madeFrom?: MadeFrom | undefined;
}

/** Name under which an application's fence is kept. */
export function fenceId(appId: string): string {
  return `${appId}/fence`;
}

/** Pure: why files must not be added to a table any more, in words; undefined where nothing is against it. */
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

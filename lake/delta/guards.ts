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

/** What a commit that adds files knows of them. */
export interface AddedFiles {
  /** Since when they lie in the store without being part of the table, in milliseconds since 1970. */
  unusedSinceMs: number;
  /** How many entries of the tenant's list of erasures their rows respect; undefined: they bring no new rows. */
  erasures: number | undefined;
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
  return undefined;
}

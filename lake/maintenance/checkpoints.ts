import type { Logger } from '../../runtime/log.ts';
import type { Table } from '../delta/table.ts';

/** Least number of commits between two checkpoints of a table. */
const EVERY_COMMITS = 20;
/** Rows per commit to wait, so that large checkpoints are rare. */
const ROWS_PER_COMMIT = 20;
/** Most entries to read when a table is opened. */
const AT_MOST_COMMITS = 1_000;

/** Decide whether a checkpoint is due, by new commits and rows. Pure. */
export function checkpointDue({ commits, rows }: { commits: number; rows: number }): boolean {
  return commits >= Math.min(AT_MOST_COMMITS, Math.max(EVERY_COMMITS, rows / ROWS_PER_COMMIT));
}

/**
 * Writes a checkpoint of a table if one is due; never throws.
 *
 * Committers call it after a commit. A failure does no harm, because the log alone is the truth.
 * @returns whether a checkpoint was written
 */
export async function maybeCheckpoint(table: Table, log: Logger): Promise<boolean> {
  if (!checkpointDue(table.sinceCheckpoint())) return false;
  try {
    return (await table.checkpoint()) !== undefined;
  } catch (error) {
    log.warn({ err: error, root: table.spec.root }, 'a checkpoint could not be written, trying again later');
    return false;
  }
}

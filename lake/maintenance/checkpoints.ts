import type { Logger } from '../../runtime/log.ts';
import type { Table } from '../delta/table.ts';

/** Commits after which a table gets a new checkpoint, at least. */
const EVERY_COMMITS = 20;
/** A large checkpoint is written less often: its cost is spread over a twentieth as many commits as it has rows. */
const ROWS_PER_COMMIT = 20;
/** Opening a table reads this many entries at most. */
const AT_MOST_COMMITS = 1_000;

/** Pure: whether a checkpoint should be written, by the commits since the last and its rows. */
export function checkpointDue({ commits, rows }: { commits: number; rows: number }): boolean {
  return commits >= Math.min(AT_MOST_COMMITS, Math.max(EVERY_COMMITS, rows / ROWS_PER_COMMIT));
}

/**
 * Writes a checkpoint of a table when enough has been committed since the last one. For whoever commits, after a commit and
 * beside its work: it never throws, and failing does no harm, since the log alone is the truth.
 * @returns whether one was written.
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

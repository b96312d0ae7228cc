import type { Snapshot } from '../../lake/delta/snapshot.ts';

/**
 * Last sequence whose events a table must have.
 *
 * A table may be ahead of the shard's committed position, between its commit and the acknowledgement. The committed position
 * may be ahead of the table, whose last message is older.
 * @param floor the shard's committed position, read before the table
 */
export function committedSequence({ txns }: Pick<Snapshot, 'txns'>, appId: string, floor: number): number {
  return Math.max(txns.get(appId) ?? 0, floor);
}

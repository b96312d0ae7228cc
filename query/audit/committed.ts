import type { Snapshot } from '../../lake/delta/snapshot.ts';

/**
 * Last sequence whose events a table must have. Both are needed: a table may be ahead of the shard's committed position
 * before the acknowledgement, and behind it where the tenant's last messages lie further back.
 * @param floor the shard's committed position, read before the table
 */
export function committedSequence({ txns }: Pick<Snapshot, 'txns'>, appId: string, floor: number): number {
  return Math.max(txns.get(appId) ?? 0, floor);
}

import type { Action } from './actions.ts';
import type { Snapshot } from './snapshot.ts';

/**
 * Name of the entry with the store time of a stream position.
 *
 * A table keeps both: the position (`txn` of the application) and when the stream stored the message there. A restored
 * stream may have another message at the same sequence.
 */
function storedTimeId(appId: string): string {
  return `${appId}/stored`;
}

/** A table's position in a stream: the sequence, and the store time of the message there. */
export function positionOf(
  { txns }: Pick<Snapshot, 'txns'>,
  appId: string,
): { sequence: number; timeMs?: number | undefined } {
  return { sequence: txns.get(appId) ?? 0, timeMs: txns.get(storedTimeId(appId)) };
}

/**
 * Entries of a table's position in a stream, for a commit.
 * @param lastUpdated time of the commit by the store's clock, in milliseconds since 1970
 */
export function positionActions(
  position: { appId: string; version: number; storedMs?: number },
  lastUpdated: number,
): Action[] {
  const { appId, version, storedMs } = position;
  const sequence = { txn: { appId, version, lastUpdated } };
  return storedMs === undefined
    ? [sequence]
    : [sequence, { txn: { appId: storedTimeId(appId), version: storedMs, lastUpdated } }];
}

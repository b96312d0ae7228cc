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

/**
 * Name of the entry with the position up to which the whole shard was committed.
 *
 * A tenant that sends little is committed later than others, so that a table may be further than its shard.
 */
function shardId(appId: string): string {
  return `${appId}/shard`;
}

/** Position up to which a shard was committed with a table's last commit. An earlier version committed all tenants at once. */
export function shardPositionOf({ txns }: Pick<Snapshot, 'txns'>, appId: string): number {
  return txns.get(shardId(appId)) ?? txns.get(appId) ?? 0;
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
  position: { appId: string; version: number; storedMs?: number; shardPosition?: number },
  lastUpdated: number,
): Action[] {
  const { appId, version, storedMs, shardPosition } = position;
  const entries: [string, number | undefined][] = [
    [appId, version],
    [storedTimeId(appId), storedMs],
    [shardId(appId), shardPosition],
  ];
  return entries.flatMap(([id, value]) =>
    value === undefined ? [] : [{ txn: { appId: id, version: value, lastUpdated } }],
  );
}

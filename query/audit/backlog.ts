import type { Table } from '../../lake/delta/table.ts';
import { positionOf } from '../../lake/delta/positions.ts';
import type { ShardStreams } from '../../stream/shardStreams.ts';
import { committedSequence } from './committed.ts';

/** A tenant's acknowledged messages that are not in the lake yet. */
export interface Backlog {
  /** Shard of the tenant's stream. */
  shard: number;
  messages: number;
  /** When the stream stored the oldest of them, in milliseconds since 1970; absent without one. */
  oldestMs?: number;
  /** When the stream stored the tenant's last message that is in the lake; absent without one. */
  committedMs?: number;
}

/**
 * Reads the backlog of one tenant, whatever other tenants of its shard send.
 * @returns undefined while there is no stream
 * @throws LakeError storage_unavailable; StreamUnavailableError
 */
export async function backlogOf(
  tenantId: string,
  { streams, table }: { streams: ShardStreams; table: Table },
): Promise<Backlog | undefined> {
  const stream = await streams.of(tenantId);
  const state = stream && (await streams.committed(stream, tenantId));
  if (!state) return undefined;
  const { shard } = stream;
  const snapshot = await table.snapshot();
  const { timeMs } = positionOf(snapshot, state.appId);
  const after = committedSequence(snapshot, state.appId, state.floor);
  const pending = await streams.pending(stream, tenantId, after + 1);
  return {
    shard,
    messages: pending?.count ?? 0,
    ...(pending ? { oldestMs: pending.oldestMs } : {}),
    ...(timeMs === undefined ? {} : { committedMs: timeMs }),
  };
}

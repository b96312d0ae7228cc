import type { JetStreamManager } from '@nats-io/jetstream';
import { listTenants } from '../../lake/layout/tenants.ts';
import type { Storage } from '../../lake/storage/storage.ts';
import { shardOf, streamName, type ShardRange } from '../../schemas/subjects.ts';
import { contradicts, newest } from '../../stream/incarnation.ts';
import { streamInfo } from '../../stream/streamInfo.ts';
import { streamStateOf, type StreamState } from '../../stream/streamState.ts';
import type { KnownMessage, SetBack } from '../../stream/streamsRecord.ts';
import type { LakeParts } from './lakeParts.ts';

/**
 * What the tables of a shard's tenants have of a stream.
 * @returns the newest message that any table has, sequence 0: none; and the position up to which all have everything
 */
export async function newestCommitted(
  lake: LakeParts,
  { storage, shard, range }: { storage: Storage; shard: number; range: ShardRange },
): Promise<{ newest: KnownMessage; through: number }> {
  let found: KnownMessage = { sequence: 0 };
  let through = 0;
  for (const tenantId of await listTenants(storage)) {
    if (shardOf(tenantId, range.shards, range.first) !== shard) continue;
    const { events, quarantine } = await lake.positions(tenantId);
    found = newest(newest(found, events), quarantine);
    through = Math.max(through, events.shardPosition, quarantine.shardPosition);
  }
  return { newest: found, through };
}

/** Whether a stream lacks the newest message that the lake has of it. */
export async function findSetBack(
  manager: JetStreamManager,
  shard: number,
  committed: KnownMessage,
): Promise<SetBack | undefined> {
  const info = await streamInfo(manager, streamName(shard));
  if (!info || committed.sequence === 0) return undefined;
  const state = streamStateOf(info);
  if (!contradicts(committed, state) && !(await holdsAnother(manager, state, committed))) return undefined;
  const { created, lastSequence } = state;
  return { created, known: committed, lastSequence, at: new Date().toISOString() };
}

async function holdsAnother(
  manager: JetStreamManager,
  { name, firstSequence }: StreamState,
  { sequence, timeMs }: KnownMessage,
): Promise<boolean> {
  if (timeMs === undefined || sequence < firstSequence) return false;
  const held = await manager.streams.getMessage(name, { seq: sequence }).catch(() => undefined); // removed singly
  return held !== undefined && held !== null && held.time.getTime() !== timeMs;
}

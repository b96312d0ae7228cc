import { jetstreamManager, type JetStreamManager } from '@nats-io/jetstream';
import { Kvm, type KV } from '@nats-io/kv';
import type { NatsConnection } from './nats.ts';
import { streamInfo } from './streams.ts';
import { shardOf, streamName } from '../schemas/subjects.ts';
import { listShards } from './listShards.ts';

export interface ShardStatus {
  shard: number;
  /** Absent: nobody has created it yet. */
  stream?: {
    name: string;
    created: string;
    firstSequence: number;
    lastSequence: number;
    messages: number;
    bytes: number;
  };
  /** Id of the processor that holds the shard's lease. */
  owner?: string;
  /** Messages that are not in the lake yet. */
  lagMessages: number;
  /** Age of the oldest message that is not in the lake yet; 0 when all are. Absent where it cannot be told. */
  behindMs?: number;
  /** When the processor last committed something of this shard. */
  lastCommit?: string;
}

/** How the processor notes what it holds and how far it is (processor/shards/leases.ts, progress.ts). */
const LEASES = 'spor_leases';
const PROGRESS = 'spor_progress';
const shardKey = (shard: number): string => `shard.${shard}`;

/** What the stream server knows of each shard; nothing is created by asking. */
export async function readShards(connection: NatsConnection, shards: number, nowMs: number): Promise<ShardStatus[]> {
  const manager = await jetstreamManager(connection);
  const [leases, progress] = [await openBucket(connection, LEASES), await openBucket(connection, PROGRESS)];
  return Promise.all(
    Array.from({ length: shards }, (_, shard) => readShard(shard, { manager, leases, progress }, nowMs)),
  );
}

/** The same of the shard a tenant is in; undefined while there are no streams. */
export async function readTenantShard(
  connection: NatsConnection,
  tenantId: string,
  nowMs: number,
): Promise<ShardStatus | undefined> {
  const manager = await jetstreamManager(connection);
  const shards = (await listShards(manager)).length;
  if (shards === 0) return undefined;
  const [leases, progress] = [await openBucket(connection, LEASES), await openBucket(connection, PROGRESS)];
  return readShard(shardOf(tenantId, shards), { manager, leases, progress }, nowMs);
}

async function readShard(
  shard: number,
  { manager, leases, progress }: { manager: JetStreamManager; leases: KV | undefined; progress: KV | undefined },
  nowMs: number,
): Promise<ShardStatus> {
  const name = streamName(shard);
  const lease = await leases?.get(shardKey(shard));
  const owner = lease?.operation === 'PUT' ? { owner: lease.string() } : {};
  const info = await streamInfo(manager, name);
  if (!info) return { shard, ...owner, lagMessages: 0 };

  const noted = await progress?.get(shardKey(shard));
  const committed =
    noted?.operation === 'PUT' ? noted.json<{ created: string; floor: number; at: string }>() : undefined;
  // Progress of an earlier stream of that name says nothing about this one.
  const ours = committed?.created === info.created ? committed : undefined;
  const { first_seq: firstSequence, last_seq: lastSequence, messages, bytes } = info.state;
  const next = Math.max((ours?.floor ?? 0) + 1, firstSequence);
  const lagMessages = Math.max(0, lastSequence - next + 1);
  const oldest =
    lagMessages === 0 ? undefined : await manager.streams.getMessage(name, { seq: next }).catch(() => undefined); // trimmed meanwhile
  const behind = lagMessages === 0 ? 0 : oldest ? Math.max(0, nowMs - oldest.time.getTime()) : undefined;
  return {
    shard,
    stream: { name, created: info.created, firstSequence, lastSequence, messages, bytes },
    ...owner,
    lagMessages,
    ...(behind === undefined ? {} : { behindMs: behind }),
    ...(ours ? { lastCommit: ours.at } : {}),
  };
}

/** A bucket, or undefined where nobody has created it yet. */
async function openBucket(connection: NatsConnection, name: string): Promise<KV | undefined> {
  const manager = await jetstreamManager(connection);
  return (await streamInfo(manager, `KV_${name}`)) ? new Kvm(connection).open(name) : undefined;
}

import { jetstreamManager, type JetStreamManager, type StreamInfo } from '@nats-io/jetstream';
import { Kvm, type KV } from '@nats-io/kv';
import type { NatsConnection } from './nats.ts';
import { LEASES_BUCKET, PROGRESS_BUCKET, shardKey } from './buckets.ts';
import { streamInfo } from './streamInfo.ts';
import { shardNumbers, streamName, type ShardRange } from '../schemas/subjects.ts';
import { describeSetBack } from './incarnation.ts';
import { readStreamsRecord, type StreamsRecord } from './streamsRecord.ts';
import { floorOf, type ParkedTenant, type ShardProgress } from './progress.ts';

export interface ShardStatus {
  shard: number;
  /** Absent until the stream is created. */
  stream?: {
    name: string;
    created: string;
    firstSequence: number;
    lastSequence: number;
    messages: number;
    bytes: number;
    replicas: number;
  };
  /** Why the shard stands still until an operator acts. */
  fault?: string;
  /** Id of the processor that holds the shard's lease. */
  owner?: string;
  /** Messages that are not in the lake yet. */
  lagMessages: number;
  /** Age of the oldest uncommitted message; 0 without one, absent if unknown. */
  behindMs?: number;
  /** Time of the shard's last commit. */
  lastCommit?: string;
  /** Tenants whose tables cannot be written. Lag and age are those of the others. */
  parked?: ParkedTenant[];
}

/** The processor's records of its shards. A bucket is undefined until created. */
interface Records {
  manager: JetStreamManager;
  leases: KV | undefined;
  progress: KV | undefined;
  record: StreamsRecord | undefined;
}

/** Reads what the stream server knows of each shard; creates nothing. */
export async function readShards(connection: NatsConnection, range: ShardRange, nowMs: number): Promise<ShardStatus[]> {
  const records = await openRecords(connection);
  const read = async (shard: number): Promise<ShardStatus> =>
    readShard(shard, await streamInfo(records.manager, streamName(shard)), { ...records, nowMs });
  return Promise.all(shardNumbers(range).map(read));
}

async function readShard(
  shard: number,
  info: StreamInfo | undefined,
  { manager, leases, progress, record, nowMs }: Records & { nowMs: number },
): Promise<ShardStatus> {
  const lease = await leases?.get(shardKey(shard));
  const owner = lease?.operation === 'PUT' ? { owner: lease.string() } : {};
  const setBack = record?.setBack[shard];
  const fault = setBack ? { fault: describeSetBack(streamName(shard), setBack) } : {};
  if (!info) return { shard, ...owner, ...fault, lagMessages: 0 };

  const { name } = info.config;
  const { created } = info;
  const noted = await progress?.get(shardKey(shard));
  const committed = noted?.operation === 'PUT' ? noted.json<ShardProgress>() : undefined;
  const { first_seq: firstSequence, last_seq: lastSequence, messages, bytes } = info.state;
  const { parked, through = 0, ahead = 0 } = committed?.created === created ? committed : {};
  const next = Math.max(floorOf(committed, created) + 1, through + 1, firstSequence);
  // Of a stream that was set back nobody knows which messages are committed.
  const lagMessages = setBack || lastSequence < next - 1 ? messages : Math.max(0, lastSequence - next + 1 - ahead);
  const oldest =
    lagMessages === 0 ? undefined : await manager.streams.getMessage(name, { seq: next }).catch(() => undefined); // trimmed meanwhile
  const behind = lagMessages === 0 ? 0 : oldest ? Math.max(0, nowMs - oldest.time.getTime()) : undefined;
  return {
    shard,
    stream: { name, created, firstSequence, lastSequence, messages, bytes, replicas: info.config.num_replicas },
    ...owner,
    ...fault,
    lagMessages,
    ...(behind === undefined ? {} : { behindMs: behind }),
    // Progress of an earlier stream of the same name does not apply.
    ...(committed?.created === created ? { lastCommit: committed.at } : {}),
    ...(parked ? { parked } : {}),
  };
}

async function openRecords(connection: NatsConnection): Promise<Records> {
  const manager = await jetstreamManager(connection);
  const open = async (bucket: string): Promise<KV | undefined> =>
    (await streamInfo(manager, `KV_${bucket}`)) ? new Kvm(connection).open(bucket) : undefined;
  return {
    manager,
    leases: await open(LEASES_BUCKET),
    progress: await open(PROGRESS_BUCKET),
    record: await readStreamsRecord(manager),
  };
}

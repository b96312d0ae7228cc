import { jetstreamManager, type JetStreamManager } from '@nats-io/jetstream';
import { streamName, type ShardRange } from '../schemas/subjects.ts';
import { PROGRESS_BUCKET, shardKey } from './buckets.ts';
import { checkReplicas } from './limits.ts';
import type { NatsConnection } from './nats.ts';
import { readRecord } from './readRecord.ts';
import { streamInfo } from './streamInfo.ts';
import { changeStreamsRecord, rangeOf, readStreamsRecord, type StreamsRecord } from './streamsRecord.ts';

/**
 * Reads the record of the shard streams, and makes it on first use.
 *
 * An installation of an earlier version has no record. Its number of shards is that of its streams and committed positions.
 * @throws Error if the streams have another number of shards
 */
export async function agreedStreams(
  connection: NatsConnection,
  manager: JetStreamManager,
  { shards, replicas }: { shards: number; replicas: number },
): Promise<StreamsRecord> {
  let record = await readStreamsRecord(manager);
  if (!record) {
    const existing = await countShards(manager, shards);
    await changeStreamsRecord(connection, { shards: existing || shards, replicas }, (recorded) => recorded);
    record = (await readStreamsRecord(manager))!;
  }
  // After a growth the record counts, and settings may be older.
  if (record.shards === shards || record.before) return record;
  throw new Error(
    `the streams exist with another number of shards than SPOR_SHARDS=${shards}: set it to ${record.shards}, the number at creation`,
  );
}

/**
 * Reads or makes the record, and returns the shards in use.
 * @throws Error if the streams have another number of shards, or the server keeps fewer copies
 */
export async function agreedRange(
  connection: NatsConnection,
  place: { shards: number; replicas: number },
): Promise<ShardRange> {
  checkReplicas(connection, place.replicas);
  return rangeOf(await agreedStreams(connection, await jetstreamManager(connection), place));
}

/** Shards in use, by the record or else the streams; 0 of them before the first start. Creates nothing. */
export async function shardRange(manager: JetStreamManager): Promise<ShardRange> {
  const record = await readStreamsRecord(manager);
  return record ? rangeOf(record) : { first: 0, shards: await countShards(manager, 0) };
}

/** Highest shard with a stream or a committed position, plus one; 0 without any. */
async function countShards(manager: JetStreamManager, expected: number): Promise<number> {
  let count = 0;
  for (let shard = 0; shard <= Math.max(expected, count); shard++) {
    const stream = await streamInfo(manager, streamName(shard));
    if (stream ?? (await readRecord(manager, { bucket: PROGRESS_BUCKET, key: shardKey(shard) }))) count = shard + 1;
  }
  return count;
}

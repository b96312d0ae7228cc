import {
  DiscardPolicy,
  jetstreamManager,
  RetentionPolicy,
  StorageType,
  type JetStreamManager,
  type StreamInfo,
} from '@nats-io/jetstream';
import type { Logger } from '../runtime/log.ts';
import { shardOfStream } from '../schemas/subjects.ts';
import { PROGRESS_BUCKET, shardKey } from './buckets.ts';
import type { NatsConnection } from './nats.ts';
import type { ShardProgress } from './progress.ts';
import { readRecord } from './readRecord.ts';
import { agreedStreams } from './shardCount.ts';
import { streamInfo } from './streamInfo.ts';
import { changeStreamsRecord, withLoss } from './streamsRecord.ts';

export interface StreamsConfig {
  /** Names and subjects, one per shard. */
  streams: { name: string; subjects: string[] }[];
  /** Name of the first stream past the last shard; its number is that of all shards. */
  beyond: string;
  maxBytes: number;
  replicas: number;
  /** Told of streams that were there before and are missing. */
  log?: Logger;
}

const JS_INSUFFICIENT_STORAGE = 10047;
const DUPLICATE_WINDOW_NANOS = 120 * 1e9;
const STREAM_GONE =
  'an event stream is gone and made anew, without the messages that it had not passed on to the lake: ' +
  'put back the store of nats-server, or run "npx spor restore" with a backup';

/**
 * Opens the shard streams, and creates missing ones.
 *
 * Their number is a record of its own, so that a start which failed half-way goes on later. A stream that is set back is not
 * created, because a command moves its messages (incarnation.ts).
 *
 * Limits retention without an age limit and `discard: new` keep the server from dropping messages. The processor trims
 * committed messages (stream/trim.ts).
 * @returns the streams in order; undefined for one that is being moved
 * @throws Error if the streams have another number of shards, which cannot change, or if the server has no room
 */
export async function ensureStreams(
  connection: NatsConnection,
  config: StreamsConfig,
): Promise<(StreamInfo | undefined)[]> {
  const manager = await jetstreamManager(connection);
  const place = { shards: shardOfStream(config.beyond), replicas: config.replicas };
  const record = await agreedStreams(connection, manager, place);
  const infos = await Promise.all(
    config.streams.map(async (stream) => {
      const shard = shardOfStream(stream.name);
      const found = await streamInfo(manager, stream.name);
      if (found || record.setBack[shard]) return found;
      const created = record.created[shard];
      if (created !== undefined) await recordGone(connection, manager, { shard, stream: stream.name, created, config });
      return createStream(manager, stream, { ...config, shards: place.shards });
    }),
  );
  const created = infos.flatMap((info) => (info ? [[shardOfStream(info.config.name), info.created] as const] : []));
  if (created.some(([shard, time]) => record.created[shard] !== time)) {
    await changeStreamsRecord(connection, place, (now) => ({
      ...now,
      created: { ...now.created, ...Object.fromEntries(created) },
    }));
  }
  return infos;
}

/** Says that a stream is gone, and records what may be lost with it. */
async function recordGone(
  connection: NatsConnection,
  manager: JetStreamManager,
  { shard, stream, created, config }: { shard: number; stream: string; created: string; config: StreamsConfig },
): Promise<void> {
  const progress = await readRecord<ShardProgress>(manager, { bucket: PROGRESS_BUCKET, key: shardKey(shard) });
  const after = progress?.created === created ? { after: progress.floor } : {};
  config.log?.error({ code: 'stream_gone', stream, created, ...after }, STREAM_GONE);
  const place = { shards: shardOfStream(config.beyond), replicas: config.replicas };
  const at = new Date().toISOString();
  await changeStreamsRecord(connection, place, (now) =>
    now.created[shard] === created ? withLoss(now, { stream, created, ...after, at }) : now,
  );
}

/** Creates a shard's stream; a stream of the same configuration is left as it is. */
export async function createStream(
  manager: JetStreamManager,
  stream: StreamsConfig['streams'][number],
  { maxBytes, replicas, shards }: { maxBytes: number; replicas: number; shards: number },
): Promise<StreamInfo> {
  const asked = manager.streams.add({
    ...stream,
    storage: StorageType.File,
    retention: RetentionPolicy.Limits,
    discard: DiscardPolicy.New,
    max_bytes: maxBytes,
    max_age: 0,
    duplicate_window: DUPLICATE_WINDOW_NANOS,
    num_replicas: replicas,
    allow_direct: true,
    // One fsync for messages of many subjects; servers before 2.12 ignore this option.
    allow_atomic: true,
  });
  return asked.catch((error: unknown) => {
    if ((error as { code?: number }).code !== JS_INSUFFICIENT_STORAGE) throw error;
    throw new Error(
      `the stream server has no room for ${shards} streams of STREAM_MAX_BYTES=${maxBytes} each: ` +
        'lower that, free some disk, or raise max_file_store of nats-server',
      { cause: error },
    );
  });
}

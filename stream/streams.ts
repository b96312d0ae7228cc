import {
  DiscardPolicy,
  jetstreamManager,
  RetentionPolicy,
  StorageType,
  type JetStreamManager,
  type StreamInfo,
} from '@nats-io/jetstream';
import type { NatsConnection } from './nats.ts';

export interface StreamsConfig {
  /** Names and subjects, one per shard. */
  streams: { name: string; subjects: string[] }[];
  /** Name of the first stream past the last shard. Its existence means that creation used more shards. */
  beyond: string;
  maxBytes: number;
  replicas: number;
}

const JS_STREAM_NOT_FOUND = 10059;
const JS_INSUFFICIENT_STORAGE = 10047;
const DUPLICATE_WINDOW_NANOS = 120 * 1e9;

/**
 * Opens the shard streams, creating them on first use.
 *
 * Limits retention without an age limit and `discard: new` keep the server from dropping messages. The processor trims
 * committed messages (stream/trim.ts).
 * @throws Error if the streams have another number of shards, which cannot change, or if the server has no room
 */
export async function ensureStreams(connection: NatsConnection, config: StreamsConfig): Promise<StreamInfo[]> {
  const manager = await jetstreamManager(connection);
  const found = await Promise.all(config.streams.map(({ name }) => streamInfo(manager, name)));
  const existing = found.filter((info) => info !== undefined).length;
  const beyond = await streamInfo(manager, config.beyond);
  if (beyond || (existing > 0 && existing < config.streams.length && (await createdLongAgo(found)))) {
    throw new Error(
      `the streams exist with another number of shards than SPOR_SHARDS=${config.streams.length}: set it to the number at creation`,
    );
  }
  return Promise.all(
    config.streams.map(async (stream, index) => found[index] ?? (await create(manager, stream, config))),
  );
}

async function create(
  manager: JetStreamManager,
  stream: { name: string; subjects: string[] },
  config: StreamsConfig,
): Promise<StreamInfo> {
  const asked = manager.streams.add({
    ...stream,
    storage: StorageType.File,
    retention: RetentionPolicy.Limits,
    discard: DiscardPolicy.New,
    max_bytes: config.maxBytes,
    max_age: 0,
    duplicate_window: DUPLICATE_WINDOW_NANOS,
    num_replicas: config.replicas,
    allow_direct: true,
    // One fsync for messages of many subjects; servers before 2.12 ignore this option.
    allow_atomic: true,
  });
  return asked.catch((error: unknown) => {
    if ((error as { code?: number }).code !== JS_INSUFFICIENT_STORAGE) throw error;
    throw new Error(
      `the stream server has no room for ${config.streams.length} streams of STREAM_MAX_BYTES=${config.maxBytes} each: ` +
        'lower that, free some disk, or raise max_file_store of nats-server',
      { cause: error },
    );
  });
}

/**
 * Whether part of the streams existed well before this start.
 *
 * Two processes that start at once each see some of the other's streams. Only an old part is a mismatch.
 */
async function createdLongAgo(found: (StreamInfo | undefined)[]): Promise<boolean> {
  const created = found.filter((info) => info !== undefined).map((info) => new Date(info.created).getTime());
  return Date.now() - Math.max(...created) > 10_000;
}

/** State and identity of a stream; undefined if it does not exist. */
export async function streamInfo(manager: JetStreamManager, name: string): Promise<StreamInfo | undefined> {
  try {
    return await manager.streams.info(name);
  } catch (error) {
    if ((error as { code?: number }).code === JS_STREAM_NOT_FOUND) return undefined;
    throw error;
  }
}

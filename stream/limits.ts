import { jetstreamManager, type JetStreamManager, type StreamInfo } from '@nats-io/jetstream';
import type { Logger } from '../runtime/log.ts';
import { shardNumbers, streamName, type ShardRange } from '../schemas/subjects.ts';
import { BUCKETS } from './buckets.ts';
import { denialOf } from './denials.ts';
import type { NatsConnection } from './nats.ts';
import { streamInfo } from './streamInfo.ts';
import { readStreamsRecord } from './streamsRecord.ts';

/** Limits of streams and buckets, as a service's settings have them. */
export interface Limits {
  /** Shards whose streams are looked at. */
  range?: ShardRange;
  /** NATS_REPLICAS. */
  replicas: number;
  /** STREAM_MAX_BYTES; absent: the service does not have it. */
  maxBytes?: number;
}

/** JetStream's codes for more copies than servers, and for too little space. */
const JS_NO_PEERS: readonly number[] = [10005, 10074, 10102];
const JS_INSUFFICIENT_STORAGE = 10047;

/**
 * Refuses more copies than the server can keep.
 * @throws Error naming both numbers
 */
export function checkReplicas({ info }: NatsConnection, replicas: number): void {
  if (replicas === 1 || info?.cluster) return;
  throw new Error(
    `NATS_REPLICAS=${replicas}, but nats-server ${info?.server_name ?? ''} runs alone and keeps 1 copy: ` +
      `set NATS_REPLICAS=1, or make a cluster of ${replicas} servers or more`,
  );
}

/**
 * Applies the settings to the streams and buckets that exist, as far as the identity may change them.
 *
 * More copies and another size are applied. Fewer copies are refused, because a service with a forgotten setting would take
 * the copies away.
 * @throws Error naming the values of the setting and of the stream, and what to do
 */
export async function applyLimits(
  connection: NatsConnection,
  limits: Limits,
  { mayPublish, log }: { mayPublish: (subject: string) => boolean; log: Logger },
): Promise<void> {
  checkReplicas(connection, limits.replicas);
  const manager = await jetstreamManager(connection);
  const streams = limits.range ? shardNumbers(limits.range).map(streamName) : [];
  for (const name of [...streams, ...BUCKETS.map((bucket) => `KV_${bucket}`)]) {
    if (!mayPublish(`$JS.API.STREAM.UPDATE.${name}`)) continue;
    const info = await streamInfo(manager, name);
    if (!info) continue;
    const isStream = streams.includes(name);
    await apply(manager, info, { replicas: limits.replicas, maxBytes: isStream ? limits.maxBytes : undefined }, log);
  }
}

async function apply(
  manager: JetStreamManager,
  { config, state }: StreamInfo,
  { replicas, maxBytes = config.max_bytes }: { replicas: number; maxBytes: number | undefined },
  log: Logger,
): Promise<void> {
  const { name, num_replicas: copies, max_bytes: size } = config;
  if (copies > replicas) {
    throw new Error(
      `NATS_REPLICAS=${replicas}, but ${name} has ${copies} copies: set NATS_REPLICAS=${copies}, ` +
        `or give copies up with "nats stream edit ${name} --replicas ${replicas}"`,
    );
  }
  if (maxBytes < size && state.bytes > maxBytes) {
    throw new Error(
      `STREAM_MAX_BYTES=${maxBytes}, but ${name} holds ${state.bytes} bytes of at most ${size}: ` +
        'set it higher, or wait until the processor has trimmed the stream',
    );
  }
  if (copies === replicas && size === maxBytes) return;
  try {
    await manager.streams.update(name, { num_replicas: replicas, max_bytes: maxBytes });
  } catch (error) {
    throw refusal(error, { name, copies, replicas, size, maxBytes });
  }
  log.warn({ stream: name, copies, replicas, size, maxBytes }, 'a stream has the limits of the settings now');
}

function refusal(
  error: unknown,
  {
    name,
    copies,
    replicas,
    size,
    maxBytes,
  }: Record<'copies' | 'replicas' | 'size' | 'maxBytes', number> & { name: string },
): unknown {
  const { code } = error as { code?: number };
  if (code !== undefined && JS_NO_PEERS.includes(code)) {
    const message = `NATS_REPLICAS=${replicas}, but ${name} has ${copies} copies and the cluster has no room for more: start ${replicas} servers with JetStream, or set NATS_REPLICAS=${copies}`;
    return new Error(message, { cause: error });
  }
  if (code !== JS_INSUFFICIENT_STORAGE) return error;
  const message = `STREAM_MAX_BYTES=${maxBytes}, but ${name} has ${size} and the stream server has no room for more: free some disk, raise max_file_store of nats-server, or set STREAM_MAX_BYTES=${size}`;
  return new Error(message, { cause: error });
}

/**
 * Copies for a bucket that a command creates: as many as the streams have, and no fewer than the setting.
 *
 * An identity that may not see the streams takes the setting.
 */
export async function replicasOf(connection: NatsConnection, atLeast: number): Promise<number> {
  const manager = await jetstreamManager(connection);
  const look = async (): Promise<StreamInfo | undefined> =>
    streamInfo(manager, streamName((await readStreamsRecord(manager))?.first ?? 0));
  const info = await look().catch((error: unknown) => {
    if (denialOf(error)) return undefined;
    throw error;
  });
  return Math.max(atLeast, info?.config.num_replicas ?? 1);
}

import { jetstreamManager } from '@nats-io/jetstream';
import type { Logger } from '../runtime/log.ts';
import type { Registry } from '../schemas/registry.ts';
import { shardNumbers, streamName, streamSubjects, type ShardRange } from '../schemas/subjects.ts';
import type { Granted } from '../stream/identities/checkRights.ts';
import { applyLimits } from '../stream/limits.ts';
import type { NatsConnection } from '../stream/nats.ts';
import { Progress } from '../stream/progress.ts';
import { ensureStreams } from '../stream/streams.ts';
import { agreeOnSchemas } from '../stream/usedSchemas.ts';
import type { ProcessorConfig } from './config.ts';
import type { StreamAccess } from './shards/context.ts';
import { KnownStreams } from './shards/knownStreams.ts';

/** Repeats a task until the stream server answers; /readyz names the wait. */
export type WaitFor = <T>(what: string, task: () => Promise<T>) => Promise<T>;

/** Open the streams and buckets that all shards share, creating missing ones. */
export async function openStreamAccess(
  connection: NatsConnection,
  {
    config,
    registry,
    granted,
    waitFor,
    log,
    range,
  }: {
    config: ProcessorConfig;
    registry: Registry;
    granted: Granted;
    waitFor: WaitFor;
    log: Logger;
    range: () => ShardRange;
  },
): Promise<StreamAccess> {
  const { shards, replicas, streamMaxBytes: maxBytes } = config;
  const streams = shardNumbers(range()).map((shard) => ({ name: streamName(shard), subjects: streamSubjects(shard) }));
  const limits = { range: range(), replicas, maxBytes };
  await waitFor('the event streams', async () => {
    await applyLimits(connection, limits, { ...granted, log });
    await ensureStreams(connection, { streams, beyond: streamName(shards), maxBytes, replicas, log });
  });
  const agreeing = { replicas, by: 'processor', ...granted };
  await waitFor('the event schemas in use', () => agreeOnSchemas(connection, registry, agreeing));
  return {
    connection,
    manager: await waitFor('JetStream', () => jetstreamManager(connection)),
    progress: await waitFor('the progress of the shards', () => Progress.open(connection, { replicas })),
    known: new KnownStreams(),
    shards,
    replicas,
  };
}

import { jetstreamManager } from '@nats-io/jetstream';
import { Kvm } from '@nats-io/kv';
import type { NatsConnection } from '../../stream/nats.ts';
import { delay } from '../../runtime/retry.ts';
import { PROGRESS_BUCKET, shardKey } from '../../stream/buckets.ts';
import type { ShardProgress } from '../../stream/progress.ts';
import { streamName } from '../../schemas/subjects.ts';
import { SHARDS } from './tenants.ts';

const EVERY_MS = 10;

/**
 * The negative control: acknowledges every message before any commit.
 *
 * A new owner then begins after messages that nobody committed, and loses them. A sound harness must report that. Runs
 * until the signal aborts.
 */
export async function acknowledgeEarly(connection: NatsConnection, signal: AbortSignal): Promise<void> {
  const manager = await jetstreamManager(connection);
  const progress = await new Kvm(connection).open(PROGRESS_BUCKET);
  while (!signal.aborted) {
    for (let shard = 0; shard < SHARDS; shard++) {
      const { state, created } = await manager.streams.info(streamName(shard));
      const value: ShardProgress = { created, floor: state.last_seq, at: new Date().toISOString() };
      if (state.last_seq > 0) await progress.put(shardKey(shard), JSON.stringify(value));
    }
    await delay(EVERY_MS, signal);
  }
}

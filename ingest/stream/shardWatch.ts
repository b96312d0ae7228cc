import { jetstreamManager, type JetStreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { delay } from '../../runtime/retry.ts';
import { streamName } from '../../schemas/subjects.ts';
import { hasQuorum } from '../../stream/quorum.ts';
import { streamInfo } from '../../stream/streamInfo.ts';
import type { ShardHealth, StreamAnswer } from './shardHealth.ts';

const ASK_EVERY_MS = 500;
/** Least time between two questions of a receiver, so that many shards do not burden the servers. */
const SPACING_MS = 5;
const ANSWER_MS = 700;

/**
 * Asks the leader of each shard's stream whether it has a quorum, until stopped.
 *
 * So a receiver without traffic knows too whether it can take events. A shard that acknowledges is not asked.
 */
export async function startShardWatch(
  connection: NatsConnection,
  health: readonly ShardHealth[],
  first = 0,
): Promise<{ stop: () => void }> {
  const stopped = new AbortController();
  const everyMs = Math.max(ASK_EVERY_MS, health.length * SPACING_MS);
  const manager = await jetstreamManager(connection, { checkAPI: false, timeout: ANSWER_MS });
  const watch = async (shard: number, one: ShardHealth): Promise<void> => {
    while (!stopped.signal.aborted) {
      const askedAtMs = performance.now();
      let answer: StreamAnswer = 'quorum';
      if (askedAtMs - one.acknowledgedAtMs > everyMs) {
        answer = await ask(manager, first + shard);
        one.answered(answer, askedAtMs);
      }
      const spentMs = performance.now() - askedAtMs;
      await delay(answer === 'none' ? Math.max(0, ANSWER_MS - spentMs) : everyMs, stopped.signal);
    }
  };
  health.forEach((one, shard) => void watch(shard, one)); // throws nothing
  return { stop: () => stopped.abort() };
}

async function ask(manager: JetStreamManager, shard: number): Promise<StreamAnswer> {
  try {
    const info = await streamInfo(manager, streamName(shard));
    // A missing stream is made by another part (publishStreams.ts).
    return !info || hasQuorum(info) ? 'quorum' : 'no quorum';
  } catch {
    return 'none'; // no answer, or a server without a leader: the same to senders
  }
}

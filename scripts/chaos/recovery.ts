import type { NatsConnection } from '../../runtime/nats.ts';
import { delay } from '../../runtime/retry.ts';
import { readShards } from '../../lake/tail/shardStatus.ts';
import { SHARDS } from './tenants.ts';

const POLL_MS = 50;

/** Waits until everything in the streams is committed and acknowledged; the reason why not, when it takes too long. */
export async function lagZero(connection: NatsConnection, withinMs: number): Promise<string | undefined> {
  const deadline = performance.now() + withinMs;
  let last = '';
  while (performance.now() < deadline) {
    try {
      const shards = await readShards(connection, SHARDS, Date.now());
      const behind = shards.filter(({ lagMessages, stream }) => lagMessages > 0 || !stream);
      if (behind.length === 0) return undefined;
      last = behind
        .map(
          ({ shard, lagMessages, owner }) =>
            `shard ${shard} is ${lagMessages} messages behind, owner ${owner ?? 'none'}`,
        )
        .join('; ');
    } catch (error) {
      last = (error as Error).message; // the stream server may be starting yet
    }
    await delay(POLL_MS);
  }
  return last;
}

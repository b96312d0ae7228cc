import { jetstreamManager } from '@nats-io/jetstream';
import type { NatsConnection } from '../../stream/nats.ts';
import { delay } from '../../runtime/retry.ts';
import { shardRange } from '../../stream/shardCount.ts';
import { readShards } from '../../stream/shardStatus.ts';

const POLL_MS = 50;

/**
 * Waits until everything in the streams is committed and acknowledged.
 *
 * Readers of files must wait for this, because live answers of the query server hold events that no file has yet.
 * @returns the uncommitted rest when the time is up or the signal aborts; undefined if there is none
 */
export async function allCommitted(
  connection: NatsConnection,
  { withinMs, signal }: { withinMs: number; signal?: AbortSignal },
): Promise<string | undefined> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    const backlog = await describeBacklog(connection);
    if (backlog === undefined || performance.now() > deadline || signal?.aborted) return backlog;
    await delay(POLL_MS, signal);
  }
}

async function describeBacklog(connection: NatsConnection): Promise<string | undefined> {
  try {
    const range = await shardRange(await jetstreamManager(connection));
    if (range.shards === 0) return 'there are no streams';
    const backlog = (await readShards(connection, range, Date.now())).filter(
      ({ lagMessages, stream }) => lagMessages > 0 || !stream,
    );
    if (backlog.length === 0) return undefined;
    return backlog
      .map(
        ({ shard, lagMessages, owner }) => `shard ${shard} is ${lagMessages} messages behind, owner ${owner ?? 'none'}`,
      )
      .join('; ');
  } catch (error) {
    return (error as Error).message; // the stream server may be starting yet
  }
}

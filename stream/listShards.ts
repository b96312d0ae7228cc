import type { JetStreamManager, StreamInfo } from '@nats-io/jetstream';
import { streamInfo } from './streams.ts';
import { streamName } from '../schemas/subjects.ts';

/** The shard streams there are, by shard; none until a receiver or processor has created them. */
export async function listShards(manager: JetStreamManager): Promise<StreamInfo[]> {
  const shards: StreamInfo[] = [];
  for (;;) {
    const info = await streamInfo(manager, streamName(shards.length));
    if (!info) return shards;
    shards.push(info);
  }
}

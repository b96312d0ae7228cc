import type { JetStreamManager, StreamInfo } from '@nats-io/jetstream';
import { streamInfo } from './streams.ts';
import { streamName } from '../schemas/subjects.ts';

/** The existing shard streams, by shard. A receiver or processor creates them. */
export async function listShards(manager: JetStreamManager): Promise<StreamInfo[]> {
  const shards: StreamInfo[] = [];
  for (;;) {
    const info = await streamInfo(manager, streamName(shards.length));
    if (!info) return shards;
    shards.push(info);
  }
}

import type { JetStreamManager } from '@nats-io/jetstream';
import { streamName } from '../schemas/subjects.ts';
import { streamStateOf } from './streamState.ts';
import { streamInfo } from './streamInfo.ts';

/**
 * The clock of the servers that lead the shard streams, in milliseconds since 1970.
 *
 * Of several servers the one furthest from this host counts. Undefined before there are streams.
 */
export async function readStreamClock(manager: JetStreamManager, shards: number): Promise<number | undefined> {
  const infos = await Promise.all(Array.from({ length: shards }, (_, shard) => streamInfo(manager, streamName(shard))));
  const host = Date.now();
  const times = infos.flatMap((info) => (info ? [streamStateOf(info).atMs] : [])).filter((ms) => !Number.isNaN(ms));
  return times.sort((a, b) => Math.abs(b - host) - Math.abs(a - host))[0];
}

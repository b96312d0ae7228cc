import type { JetStreamManager } from '@nats-io/jetstream';
import { shardNumbers, streamName } from '../schemas/subjects.ts';
import { shardRange } from './shardCount.ts';
import { streamStateOf } from './streamState.ts';
import { streamInfo } from './streamInfo.ts';

/**
 * The clock of the servers that lead the shard streams, in milliseconds since 1970.
 *
 * Of several servers the one furthest from this host counts. Undefined before there are streams.
 */
export async function readStreamClock(manager: JetStreamManager): Promise<number | undefined> {
  const range = await shardRange(manager);
  const infos = await Promise.all(shardNumbers(range).map((shard) => streamInfo(manager, streamName(shard))));
  const host = Date.now();
  const times = infos.flatMap((info) => (info ? [streamStateOf(info).atMs] : [])).filter((ms) => !Number.isNaN(ms));
  return times.sort((a, b) => Math.abs(b - host) - Math.abs(a - host))[0];
}

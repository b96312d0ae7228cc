import type { JetStreamManager } from '@nats-io/jetstream';
import type { Logger } from '../runtime/log.ts';
import { delay } from '../runtime/retry.ts';
import { LEASES_BUCKET, PROGRESS_BUCKET, SCHEMAS_BUCKET } from '../stream/buckets.ts';
import { shardNumbers, streamName, type ShardRange } from '../schemas/subjects.ts';
import { readStreamsRecord } from '../stream/streamsRecord.ts';
import { streamInfo } from '../stream/streamInfo.ts';
import type { Leases } from './shards/leases.ts';

const EVERY_MS = 2_000;
const NEEDED = [PROGRESS_BUCKET, SCHEMAS_BUCKET, LEASES_BUCKET].map((bucket) => `KV_${bucket}`);
const GONE =
  'nats-server has lost streams or buckets, which are made anew: what an event stream held and the lake lacks is gone';

/** Opens streams and buckets again if the stream server comes back without them. */
export function watchBuckets(
  manager: JetStreamManager,
  { range, leases, log, reopen }: { range: () => ShardRange; leases: Leases; log: Logger; reopen: () => Promise<void> },
): { stop(): Promise<void> } {
  const stopped = new AbortController();
  const look = async (): Promise<void> => {
    const noted = (await readStreamsRecord(manager))?.setBack ?? {};
    const streams = shardNumbers(range()).flatMap((shard) => (noted[shard] ? [] : [streamName(shard)]));
    const missing: string[] = [];
    for (const name of [...NEEDED, ...streams]) if (!(await streamInfo(manager, name))) missing.push(name);
    if (missing.length > 0) {
      log.error({ code: 'stream_gone', missing }, GONE);
      await reopen();
    }
    // Another processor may have made the bucket: its leases have other epochs.
    const info = await streamInfo(manager, `KV_${LEASES_BUCKET}`);
    if (info?.created !== leases.created) await leases.reopen();
  };
  const watch = async (): Promise<void> => {
    while (!stopped.signal.aborted) {
      await delay(EVERY_MS, stopped.signal);
      await look().catch((error: unknown) => log.debug({ err: error }, 'the buckets cannot be read now'));
    }
  };
  const watching = watch();
  return {
    stop: () => {
      stopped.abort();
      return watching;
    },
  };
}

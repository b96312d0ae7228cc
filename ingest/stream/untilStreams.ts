import { jetstreamManager } from '@nats-io/jetstream';
import { shardNumbers, streamName } from '../../schemas/subjects.ts';
import type { Logger } from '../../runtime/log.ts';
import { delay } from '../../runtime/retry.ts';
import { KEYS_BUCKET, SCHEMAS_BUCKET } from '../../stream/buckets.ts';
import type { NatsConnection } from '../../stream/nats.ts';
import { streamInfo } from '../../stream/streamInfo.ts';
import { rangeOf, readStreamsRecord } from '../../stream/streamsRecord.ts';
import { untilServed } from '../../stream/untilServed.ts';

const POLL_MS = 200;
const QUIET_POLLS = 25;

/**
 * Waits for the streams and buckets that a receiver uses.
 *
 * With an identity of its own it may not create any. Processors create the streams, and query servers the keys.
 */
export async function untilStreams(connection: NatsConnection, log: Logger): Promise<void> {
  const manager = await untilServed(() => jetstreamManager(connection), 'JetStream', log);
  const until = async <T>(name: string, look: () => Promise<T | undefined>): Promise<T> => {
    for (let poll = 1; ; poll++) {
      const found = await untilServed(look, name, log);
      if (found !== undefined) return found;
      if (poll % QUIET_POLLS === 0) {
        log.warn({ stream: name }, 'waiting for a stream: start a processor and a query server, which create them');
      }
      await delay(POLL_MS);
    }
  };
  const record = await until('the record of streams', () => readStreamsRecord(manager));
  const events = shardNumbers(rangeOf(record)).flatMap((shard) => (record.setBack[shard] ? [] : [streamName(shard)]));
  for (const name of [...events, `KV_${SCHEMAS_BUCKET}`, `KV_${KEYS_BUCKET}`])
    await until(name, () => streamInfo(manager, name));
}

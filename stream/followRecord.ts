import type { JetStreamManager } from '@nats-io/jetstream';
import type { Logger } from '../runtime/log.ts';
import { delay } from '../runtime/retry.ts';
import { readStreamsRecord, type StreamsRecord } from './streamsRecord.ts';

const EVERY_MS = 1_000;
const GROWING_EVERY_MS = 100;

/** Reads the record of streams again and again, sooner while a growth is wanted. */
export function followRecord(
  manager: JetStreamManager,
  { onRecord, log }: { onRecord: (record: StreamsRecord) => Promise<void>; log: Logger },
): { stop: () => Promise<void> } {
  const stopped = new AbortController();
  const follow = async (): Promise<void> => {
    for (let everyMs = EVERY_MS; !stopped.signal.aborted;) {
      await delay(everyMs, stopped.signal);
      try {
        const record = await readStreamsRecord(manager);
        everyMs = record?.growth ? GROWING_EVERY_MS : EVERY_MS;
        if (record && !stopped.signal.aborted) await onRecord(record);
      } catch (error) {
        log.debug({ err: error }, 'the record of streams cannot be followed now');
      }
    }
  };
  const following = follow();
  return {
    stop: () => {
      stopped.abort();
      return following;
    },
  };
}

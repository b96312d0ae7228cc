import type { JetStreamManager, StreamInfo } from '@nats-io/jetstream';

const JS_STREAM_NOT_FOUND = 10059;

/** State and identity of a stream; undefined if it does not exist. */
export async function streamInfo(manager: JetStreamManager, name: string): Promise<StreamInfo | undefined> {
  try {
    return await manager.streams.info(name);
  } catch (error) {
    if ((error as { code?: number }).code === JS_STREAM_NOT_FOUND) return undefined;
    throw error;
  }
}

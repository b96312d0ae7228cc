import { jetstreamManager } from '@nats-io/jetstream';
import { agreedNow, type Present } from '../lake/storage/agreedTime.ts';
import type { Storage } from '../lake/storage/storage.ts';
import { readConfig } from '../runtime/config.ts';
import { readStreamClock } from '../stream/streamClock.ts';
import { UnavailableError, type Context } from './command.ts';
import { readEnvironment, STREAM_SETTINGS } from './settings.ts';
import { openStream } from './stream.ts';

/** Run a task with the store's present, compared with this host's clock and the stream's, if a server answers. */
export async function withPresent<T>(
  context: Context,
  storage: Storage,
  task: (present: Present) => Promise<T>,
): Promise<T> {
  const { values, origin } = readEnvironment(context);
  const settings = readConfig(STREAM_SETTINGS, values);
  const connection = await openStream(settings, origin).catch((error: unknown) => {
    if (error instanceof UnavailableError) return undefined;
    throw error;
  });
  try {
    const manager = connection && (await jetstreamManager(connection, { checkAPI: false }));
    return await task(() => agreedNow(storage, manager && (() => readStreamClock(manager, settings.shards))));
  } finally {
    await connection?.close();
  }
}

import { jetstreamManager } from '@nats-io/jetstream';
import { agreedNow, clockDifference, type Present } from '../lake/storage/agreedTime.ts';
import type { Storage } from '../lake/storage/storage.ts';
import { readConfig } from '../runtime/config.ts';
import type { NatsConnection } from '../stream/nats.ts';
import { readStreamClock } from '../stream/streamClock.ts';
import { streamInfo } from '../stream/streamInfo.ts';
import { streamStateOf } from '../stream/streamState.ts';
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
    return await task(() => agreedNow(storage, manager && (() => readStreamClock(manager))));
  } finally {
    await connection?.close();
  }
}

/**
 * Read the stream server's clock, by which keys and tokens expire.
 * @param bucket of the keys or tokens, which exists
 * @throws Error naming both clocks, if this host's differs by more than 15 minutes
 */
export async function expiryPresent(connection: NatsConnection, bucket: string, host: number): Promise<number> {
  const info = await streamInfo(await jetstreamManager(connection, { checkAPI: false }), `KV_${bucket}`);
  const stream = info ? streamStateOf(info).atMs : NaN;
  if (Number.isNaN(stream)) return host;
  const difference = clockDifference({ host, stream });
  if (difference === undefined) return stream;
  throw new Error(
    `clocks_differ: a time of expiry cannot be told, because the clocks differ: ${difference}. Set the wrong one, for ` +
      'instance with NTP. "spor keys revoke" and "spor tokens revoke" work all the same',
  );
}

import { readConfig } from '../runtime/config.ts';
import { createLog } from '../runtime/log.ts';
import { connectNats, type NatsConnection } from '../stream/nats.ts';
import { UnavailableError, type Context } from './command.ts';
import { readEnvironment, STREAM_SETTINGS } from './settings.ts';

export interface StreamSettings {
  natsUrl: string;
  shards: number;
  replicas: number;
}

/**
 * Connect to the stream, without waiting for a server that is down.
 * @param origin the source of the address, for the message
 * @throws UnavailableError if no server answers
 */
export async function openStream(natsUrl: string, origin: string): Promise<NatsConnection> {
  try {
    return await connectNats({ url: natsUrl, name: 'spor-cli', log: createLog('spor', 'silent'), wait: false });
  } catch (error) {
    throw new UnavailableError(
      `no stream server answers at ${natsUrl}, from ${origin} (${(error as Error).message}): start one with "npm run up", or set NATS_URL`,
    );
  }
}

/**
 * Run a task with a connection to the stream, and close it.
 * @throws UnavailableError if no server answers
 */
export async function withStream<T>(
  context: Context,
  task: (connection: NatsConnection, settings: StreamSettings) => Promise<T>,
): Promise<T> {
  const { values, origin } = readEnvironment(context);
  const settings = readConfig(STREAM_SETTINGS, values);
  const connection = await openStream(settings.natsUrl, origin);
  try {
    return await task(connection, settings);
  } finally {
    await connection.close();
  }
}

import { ConfigError, readConfig } from '../runtime/config.ts';
import { createLog } from '../runtime/log.ts';
import type { NatsSettings } from '../stream/credentials.ts';
import { denialOf } from '../stream/denials.ts';
import { connectNats, type NatsConnection } from '../stream/nats.ts';
import { withoutLogin } from '../stream/servers.ts';
import { UnavailableError, type Context } from './command.ts';
import { readEnvironment, STREAM_SETTINGS } from './settings.ts';

export interface StreamSettings extends NatsSettings {
  shards: number;
  replicas: number;
}

/**
 * Connect to the stream, without waiting for a server that is down.
 * @param origin the source of the address, for the message
 * @throws UnavailableError if no server answers; ConfigError if it refuses the credentials
 */
export async function openStream(settings: NatsSettings, origin: string): Promise<NatsConnection> {
  try {
    const log = createLog('spor', 'silent');
    return await connectNats({ url: settings.natsUrl, access: settings, name: 'spor-cli', log, wait: false });
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    throw new UnavailableError(
      `no stream server answers at ${withoutLogin(settings.natsUrl)}, from ${origin} (${(error as Error).message}): start one with "npm run up", or set NATS_URL`,
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
  const connection = await openStream(settings, origin);
  try {
    return await task(connection, settings);
  } catch (error) {
    const denial = denialOf(error);
    if (!denial) throw error;
    throw new Error(`${denial}: use an identity of another role, as "spor access create --role" makes it`, {
      cause: error,
    });
  } finally {
    await connection.close();
  }
}

import { jetstreamManager } from '@nats-io/jetstream';
import { ConfigError, readConfig } from '../runtime/config.ts';
import { createLog } from '../runtime/log.ts';
import { delay } from '../runtime/retry.ts';
import type { NatsSettings } from '../stream/credentials.ts';
import { denialOf } from '../stream/denials.ts';
import { checkReplicas, replicasOf } from '../stream/limits.ts';
import { connectNats, type NatsConnection } from '../stream/nats.ts';
import { withoutLogin } from '../stream/servers.ts';
import { isOutage } from '../stream/untilServed.ts';
import { UnavailableError, type Context } from './command.ts';
import { readEnvironment, STREAM_SETTINGS } from './settings.ts';

/** Longest wait for a leader. An election takes up to 10 seconds, more if a server is only cut off. */
const ELECTION_MS = 20_000;
const ANSWER_MS = 2_000;
const PAUSE_MS = 200;

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
 * While the servers elect a leader, the task waits, and the terminal says so.
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
    checkReplicas(connection, settings.replicas);
    await untilLed(connection, context);
    return await task(connection, { ...settings, replicas: await replicasOf(connection, settings.replicas) });
  } catch (error) {
    const denial = denialOf(error);
    if (denial)
      throw new Error(`${denial}: use an identity of another role, as "spor access create --role" makes it`, {
        cause: error,
      });
    if (!isOutage(error)) throw error;
    throw new UnavailableError(
      `the stream servers at ${withoutLogin(settings.natsUrl)} did not answer (${(error as Error).message}). If one of ` +
        'them has just gone, the others need some seconds: try again. Look first whether a change was made',
    );
  } finally {
    await connection.close();
  }
}

/** Waits for a leader of the stream servers. @throws Error of the last try */
async function untilLed(connection: NatsConnection, { err }: Context): Promise<void> {
  const deadline = performance.now() + ELECTION_MS;
  for (let told = false; ; told = true) {
    try {
      await jetstreamManager(connection, { timeout: ANSWER_MS });
      return;
    } catch (error) {
      if (!isOutage(error)) return; // the task meets it, and knows what it needs
      if (performance.now() > deadline) throw error;
      if (!told) err('spor: waiting for the stream servers, which have no leader now …\n');
      await delay(PAUSE_MS);
    }
  }
}

import { connect, type NatsConnection } from '@nats-io/transport-node';
import type { Logger } from '../runtime/log.ts';

export type { NatsConnection };

/** Oldest server that supports our stream options; older ones ignore unknown options. */
const MIN_VERSION = [2, 10] as const;
const MIN_PAYLOAD_BYTES = 1_048_576;
const RECONNECT_WAIT_MS = 200;

/**
 * Connects, and reconnects for as long as the process lives.
 *
 * The first connection waits for the server too.
 * @throws Error with what to install or set, if the server is too old, has no JetStream or too small a payload
 */
export async function connectNats(options: {
  url: string;
  name: string;
  log: Logger;
  wait?: boolean;
}): Promise<NatsConnection> {
  const { url, name, log } = options;
  const connection = await connect({
    servers: url.split(','),
    name,
    maxReconnectAttempts: -1, // after the default of 10 the connection closes for good
    // The client's own delay uses the wall clock. If that is set back, the client waits until the old time returns. So
    // the client's delay is zero, and a timer pauses before each try except a server's first.
    reconnectDelayHandler: () => -Infinity,
    reconnectToServer: ([server]) => ({ server: server!, delay: server!.lastConnect === 0 ? 0 : RECONNECT_WAIT_MS }),
    waitOnFirstConnect: options.wait ?? true,
    pingInterval: 5_000,
    maxPingOut: 2,
    noAsyncTraces: true,
  });
  try {
    checkServer(connection);
  } catch (error) {
    await connection.close();
    throw error;
  }
  void logStatus(connection, log);
  return connection;
}

function checkServer(connection: NatsConnection): void {
  const info = connection.info;
  const version = info?.version ?? '0.0.0';
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major < MIN_VERSION[0] || (major === MIN_VERSION[0] && minor < MIN_VERSION[1])) {
    throw new Error(`nats-server ${version} is too old: install 2.10 or newer (2.12 or newer advised)`);
  }
  if (!info?.jetstream)
    throw new Error('nats-server runs without JetStream: start it with "jetstream { … }" in its config');
  if (info.max_payload < MIN_PAYLOAD_BYTES) {
    throw new Error(`nats-server has max_payload ${info.max_payload}: set max_payload to ${MIN_PAYLOAD_BYTES} or more`);
  }
}

async function logStatus(connection: NatsConnection, log: Logger): Promise<void> {
  for await (const status of connection.status()) {
    if (status.type === 'disconnect') log.warn({ server: status.server }, 'stream server disconnected');
    if (status.type === 'reconnect') log.info({ server: status.server }, 'stream server reconnected');
  }
}

import { connect, type NatsConnection } from '@nats-io/transport-node';
import type { Logger } from '../runtime/log.ts';
import { delay } from '../runtime/retry.ts';
import { explainRefusal } from './connectRefusal.ts';
import { connectionOptions, type NatsSettings } from './credentials.ts';
import { withoutLogin } from './servers.ts';

export type { NatsConnection };

/** Oldest server that supports our stream options; older ones ignore unknown options. */
const MIN_VERSION = [2, 10] as const;
const MIN_PAYLOAD_BYTES = 1_048_576;
const RECONNECT_WAIT_MS = 200;
/** Longest wait for a server's greeting. The client's default is 20 s. */
const CONNECT_MS = 2_000;
/** Tries of a first connection between two log lines: some seconds. */
const QUIET_TRIES = 25;

/**
 * Connects, and reconnects for as long as the process lives.
 *
 * The first connection waits for the server too.
 * @throws ConfigError if settings do not fit together, or the server refuses them; Error with what to install or set,
 *   if the server is too old, has no JetStream or too small a payload
 */
export async function connectNats(options: {
  url: string;
  /** Credentials and TLS; absent: those in the URL, or none. */
  access?: Omit<NatsSettings, 'natsUrl'>;
  name: string;
  log: Logger;
  wait?: boolean;
}): Promise<NatsConnection> {
  const { name, log } = options;
  const settings = { ...options.access, natsUrl: options.url };
  const connection = await firstConnection(settings, name, { wait: options.wait ?? true, log });
  try {
    checkServer(connection);
  } catch (error) {
    await connection.close();
    throw error;
  }
  void logStatus(connection, log);
  return connection;
}

/** Connects once. Only a server that is away is tried again: a refusal lasts. */
async function firstConnection(
  settings: NatsSettings,
  name: string,
  { wait, log }: { wait: boolean; log: Logger },
): Promise<NatsConnection> {
  const servers = withoutLogin(settings.natsUrl);
  for (let attempt = 1; ; attempt++) {
    try {
      return await tryConnect(settings, name);
    } catch (error) {
      const refusal = await explainRefusal(error, servers);
      if (refusal) throw refusal;
      if (!wait) throw error;
      if (attempt % QUIET_TRIES === 1) log.warn({ err: error, servers }, 'waiting for the stream server');
      await delay(RECONNECT_WAIT_MS);
    }
  }
}

function tryConnect(settings: NatsSettings, name: string): Promise<NatsConnection> {
  return connect({
    ...connectionOptions(settings),
    name,
    maxReconnectAttempts: -1, // after the default of 10 the connection closes for good
    // The client's own delay uses the wall clock. If that is set back, the client waits until the old time returns. So
    // the client's delay is zero, and a timer pauses before each try except a server's first.
    reconnectDelayHandler: () => -Infinity,
    reconnectToServer: ([server]) => ({ server: server!, delay: server!.lastConnect === 0 ? 0 : RECONNECT_WAIT_MS }),
    timeout: CONNECT_MS,
    pingInterval: 5_000,
    maxPingOut: 2,
    noAsyncTraces: true,
  });
}

/**
 * Reports a connection that the server closed for good, as it does to a revoked identity.
 *
 * The client reconnects for ever otherwise.
 * @returns closes the connection without a report
 */
export function reportLoss(connection: NatsConnection, report?: (error: Error) => void): () => Promise<void> {
  let closing = false;
  void connection.closed().then((cause) => {
    if (!closing) report?.(new Error('the stream server closed the connection for good', { cause }));
  });
  return () => {
    closing = true;
    return connection.close();
  };
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

import { connect, type ConnectionOptions, type NatsConnection } from '@nats-io/transport-node';
import type { Logger } from '../runtime/log.ts';
import { delay } from '../runtime/retry.ts';
import { explainRefusal } from './connectRefusal.ts';
import { connectionOptions, type NatsSettings } from './credentials.ts';
import { Failover } from './failover.ts';
import { ServerChoice } from './serverChoice.ts';
import { withoutLogin } from './servers.ts';

export type { NatsConnection };

/** Oldest server that supports our stream options; older ones ignore unknown options. */
const MIN_VERSION = [2, 10] as const;
const MIN_PAYLOAD_BYTES = 1_048_576;
/** Pause between two tries of a first connection. */
const RETRY_MS = 200;
/** Tries of a first connection between two log lines: some seconds. */
const QUIET_TRIES = 25;
/** Longest wait for one address. The client's default is 20 s, and a server in a cluster may have two addresses. */
const CONNECT_TIMEOUT_MS = 2_000;
/** Pings without an answer after which the client gives a connection up, a ping later. */
const MOST_PINGS = 2;
const PING_EVERY_MS = 2_000;

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
  const choice = new ServerChoice();
  const dial: ConnectionOptions = {
    ...connectionOptions(settings),
    name,
    timeout: CONNECT_TIMEOUT_MS,
    pingInterval: PING_EVERY_MS,
    maxPingOut: MOST_PINGS,
    noAsyncTraces: true,
  };
  const connection = await firstConnection(dial, choice, { settings, wait: options.wait ?? true, log });
  try {
    checkServer(connection);
  } catch (error) {
    await connection.close();
    throw error;
  }
  new Failover({ connection, dial: { ...dial, reconnect: false }, choice, log }).start();
  return connection;
}

/** Connects once. Only a server that is away is tried again: a refusal lasts. */
async function firstConnection(
  dial: ConnectionOptions,
  choice: ServerChoice,
  { settings, wait, log }: { settings: NatsSettings; wait: boolean; log: Logger },
): Promise<NatsConnection> {
  const servers = withoutLogin(settings.natsUrl);
  for (let attempt = 1; ; attempt++) {
    try {
      return await connect({
        ...dial,
        maxReconnectAttempts: -1, // after the default of 10 the connection closes for good
        // The client's own delay uses the wall clock. If that is set back, the client waits until the old time returns.
        // So the client's delay is zero, and the choice of a server has its own.
        reconnectDelayHandler: () => -Infinity,
        reconnectToServer: choice.choose,
      });
    } catch (error) {
      const refusal = await explainRefusal(error, servers);
      if (refusal) throw refusal;
      if (!wait) throw error;
      if (attempt % QUIET_TRIES === 1) log.warn({ err: error, servers }, 'waiting for the stream server');
      await delay(RETRY_MS);
    }
  }
}

/**
 * Reports a connection that the server closed for good, as it does to a revoked identity.
 *
 * The client reconnects for ever otherwise.
 * @param close ends the connection; absent: at once
 * @returns closes the connection without a report
 */
export function reportLoss(
  connection: NatsConnection,
  report?: (error: Error) => void,
  close = (): Promise<void> => connection.close(),
): () => Promise<void> {
  let closing = false;
  void connection.closed().then((cause) => {
    if (!closing) report?.(new Error('the stream server closed the connection for good', { cause }));
  });
  return () => {
    closing = true;
    return close();
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

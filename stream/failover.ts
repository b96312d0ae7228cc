import { createConnection, type Socket } from 'node:net';
import type { StreamInfo } from '@nats-io/jetstream';
import { connect, type ConnectionOptions, type NatsConnection, type Server } from '@nats-io/transport-node';
import type { Logger } from '../runtime/log.ts';
import { delay } from '../runtime/retry.ts';
import { streamName } from '../schemas/subjects.ts';
import { hasQuorum } from './quorum.ts';
import type { ServerChoice } from './serverChoice.ts';

const ASK_EVERY_MS = 1_000;
const ANSWER_MS = 1_000;
/** Failed questions in a row after which other servers are asked. */
const MOST_FAILED = 2;
const JS_STREAM_NOT_FOUND = 10059;
/** Time within which clients move to a server that has come back, so that they do not move together. */
const REBALANCE_WITHIN_MS = 30_000;

export interface FailoverOptions {
  connection: NatsConnection;
  /** Options of the connection, for a first question to another server. */
  dial: ConnectionOptions;
  choice: ServerChoice;
  log: Logger;
  /** Number from 0 to 1, for a test. */
  random?: () => number;
}

/**
 * Moves a connection away from a server that cannot serve, in a cluster.
 *
 * A live socket proves little: the link may be dead, or the server cut off from the others. So each second the server is
 * asked for the first event stream. The answer is good if the stream's leader gives it and has a quorum. After two bad
 * answers the other servers are asked the same, and the connection moves to one that answers well. Without such a server
 * it stays, because moving would not help.
 *
 * When a server comes back, each client moves to it with a probability of one in the number of servers.
 */
export class Failover {
  readonly #options: FailoverOptions;
  readonly #stopped = new AbortController();
  #connected = true;
  #addresses: ReadonlySet<string>;
  readonly #random: () => number;

  constructor(options: FailoverOptions) {
    this.#options = options;
    this.#random = options.random ?? Math.random;
    this.#addresses = new Set(options.connection.info?.connect_urls);
  }

  /** Watches until the connection closes for good. */
  start(): void {
    void this.#options.connection.closed().then(() => this.#stopped.abort());
    void this.#followStatus();
    void this.#askAlways();
  }

  async #followStatus(): Promise<void> {
    const { connection, log } = this.#options;
    for await (const status of connection.status()) {
      if (status.type === 'disconnect') {
        this.#connected = false;
        log.warn({ server: status.server }, 'stream server disconnected');
      } else if (status.type === 'reconnect') {
        this.#connected = true;
        this.#addresses = new Set(connection.info?.connect_urls);
        log.info({ server: status.server }, 'stream server reconnected');
      } else if (status.type === 'staleConnection') {
        destroySocket(connection);
      } else if (status.type === 'update' && this.#connected) {
        this.#serversChanged();
      }
    }
  }

  async #askAlways(): Promise<void> {
    const { connection } = this.#options;
    const { signal } = this.#stopped;
    for (let failed = 0; !signal.aborted; await delay(ASK_EVERY_MS, signal)) {
      const others = this.#otherServers();
      if (!this.#connected || others.length === 0) {
        failed = 0;
        continue;
      }
      failed = (await serves(connection)) ? 0 : failed + 1;
      if (failed < MOST_FAILED || !this.#connected) continue;
      const better = await this.#servingOne(others);
      if (better !== undefined) this.#moveTo(better, 'the stream server does not serve, moving to another');
    }
  }

  #otherServers(): Server[] {
    const { connection } = this.#options;
    const current = connection.getServer();
    return connection.getServers().filter(({ listen }) => listen !== current);
  }

  /** The first of several servers that serves; undefined if none does. */
  async #servingOne(servers: readonly Server[]): Promise<string | undefined> {
    const { dial } = this.#options;
    const tries = servers.map(async (server) => {
      if (!(await accepts(server, dial.tls?.handshakeFirst === true)))
        throw new Error(`${server.listen} does not answer`);
      const probe = await connect({ ...dial, servers: [server.listen] });
      try {
        if (await serves(probe)) return server.listen;
        throw new Error(`${server.listen} does not serve either`);
      } finally {
        await probe.close();
      }
    });
    return Promise.any(tries).catch(() => undefined); // none of them
  }

  #moveTo(address: string, reason: string): void {
    const { connection, choice, log } = this.#options;
    if (this.#stopped.signal.aborted || !this.#connected) return;
    log.warn({ from: connection.getServer(), to: address }, reason);
    choice.prefer(address);
    destroySocket(connection);
  }

  #serversChanged(): void {
    const now = new Set(this.#options.connection.info?.connect_urls);
    const [joined] = [...now].filter((address) => !this.#addresses.has(address));
    this.#addresses = now;
    if (joined !== undefined && this.#random() < 1 / now.size) void this.#rebalance(joined);
  }

  /** Moves to a server that has come back, once it serves. */
  async #rebalance(address: string): Promise<void> {
    const { signal } = this.#stopped;
    await delay(this.#random() * REBALANCE_WITHIN_MS, signal);
    while (!signal.aborted && this.#addresses.has(address)) {
      const [server] = this.#otherServers().filter(({ listen }) => listen === address);
      if (!server) return; // it is there already
      if ((await this.#servingOne([server])) !== undefined)
        return this.#moveTo(address, 'a stream server has come back, moving to it');
      await delay(ASK_EVERY_MS, signal);
    }
  }
}

/** Tests whether a connection's server reaches the first event stream, or knows that there is none. */
async function serves(connection: NatsConnection): Promise<boolean> {
  try {
    const subject = `$JS.API.STREAM.INFO.${streamName(0)}`;
    const answer = await connection.request(subject, undefined, { timeout: ANSWER_MS });
    const info = answer.json<StreamInfo & { error?: { err_code?: number } }>();
    return info.error ? info.error.err_code === JS_STREAM_NOT_FOUND : hasQuorum(info);
  } catch {
    return false; // no answer, or no connection: the same to the caller
  }
}

/**
 * Tests whether a server sends anything, or accepts the connection where TLS comes first.
 *
 * The client leaks the socket of a first attempt that times out.
 */
function accepts({ hostname, port }: Server, tlsFirst: boolean): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ host: hostname, port });
    const end = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.once(tlsFirst ? 'connect' : 'data', () => end(true));
    socket.once('error', () => end(false));
    socket.setTimeout(ANSWER_MS, () => end(false));
  });
}

/**
 * Destroys the socket, so that the client connects anew.
 *
 * The client's own way awaits a last write first. On a dead link with a full send buffer that write never ends.
 */
function destroySocket(connection: NatsConnection): void {
  const { protocol } = connection as unknown as { protocol?: { transport?: { socket?: Socket } } };
  protocol?.transport?.socket?.destroy();
}

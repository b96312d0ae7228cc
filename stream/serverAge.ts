import type { NatsConnection } from './nats.ts';

/**
 * Time after which a store that was set back has been noted, if anybody can know of it.
 *
 * Receivers and processors reconnect within two seconds, and look at the stream for two more.
 */
const NOTED_AFTER_MS = 10_000;

/**
 * How long a connection has talked to the same process of the stream server.
 *
 * A store goes back only while its server is stopped. The first server counts as old: this process knows nothing of before.
 */
export class ServerAge {
  readonly #connection: Pick<NatsConnection, 'info'>;
  #id: string | undefined;
  #sinceMs = -Infinity;

  constructor(connection: Pick<NatsConnection, 'info'>) {
    this.#connection = connection;
    this.#id = connection.info?.server_id;
  }

  /** Milliseconds to wait until the server's store can be trusted; 0: it can be. Ask after reading from it. */
  untrustedForMs(nowMs = performance.now()): number {
    const id = this.#connection.info?.server_id;
    if (id !== this.#id) [this.#id, this.#sinceMs] = [id, nowMs];
    return Math.max(0, this.#sinceMs + NOTED_AFTER_MS - nowMs);
  }
}

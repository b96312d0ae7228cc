import type { ReconnectToServerHandler } from '@nats-io/transport-node';

/** Pause before another attempt at the same server. */
const RECONNECT_WAIT_MS = 200;

/**
 * Chooses the server of each attempt to connect.
 *
 * The preferred server comes first, then the one not tried for longest. Its order is a count of attempts, because the
 * client's own order uses the wall clock, which may be set back.
 */
export class ServerChoice {
  readonly #tried = new Map<string, number>();
  #attempts = 0;
  #preferred: string | undefined;

  /** Prefers an address, such as `10.0.0.3:4222`, for the next attempt. */
  prefer(address: string): void {
    this.#preferred = address;
  }

  /** The client's handler for `reconnectToServer`. */
  readonly choose: ReconnectToServerHandler = (pool) => {
    const order = (address: string): number => (address === this.#preferred ? -1 : (this.#tried.get(address) ?? 0));
    const server = [...pool].sort((a, b) => order(a.listen) - order(b.listen))[0]!;
    this.#preferred = undefined;
    const delay = this.#tried.has(server.listen) ? RECONNECT_WAIT_MS : 0;
    this.#tried.set(server.listen, ++this.#attempts);
    return { server, delay };
  };
}

import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/**
 * Effects of a proxy on the bytes that pass.
 *
 * - `pass`: none.
 * - `black-hole`: nothing passes either way, and no side is told, as with a cut cable.
 * - `stall`: as `black-hole`, and the proxy stops reading, so that send buffers fill up.
 * - `drop-responses`: requests arrive, answers do not.
 * - `reset`: every connection breaks, and every new one at once.
 * - `delay`: everything arrives late, in order.
 */
export const LINK_MODES = ['black-hole', 'stall', 'drop-responses', 'reset', 'delay'] as const;
export type LinkMode = (typeof LINK_MODES)[number];

export interface Proxy {
  readonly port: number;
  /** Disturbs every connection, present and future, until `restore`. */
  disturb: (mode: LinkMode) => void;
  /** Lets bytes pass again; cut connections break, and delayed ones catch up. */
  restore: () => void;
  close: () => Promise<void>;
}

const DELAY_MS = 300;

interface Pair {
  client: Socket;
  server: Socket;
}

/** Starts a TCP proxy on loopback that acts as a bad network. */
export async function startProxy(target: { host: string; port: number }): Promise<Proxy> {
  let mode: LinkMode | 'pass' = 'pass';
  const pairs = new Set<Pair>();

  const listener = createServer((client) => {
    if (mode === 'reset') return void client.resetAndDestroy();
    const pair: Pair = { client, server: connect(target.port, target.host) };
    pairs.add(pair);
    for (const socket of [pair.client, pair.server]) {
      socket.setNoDelay(true);
      socket.on('error', () => socket.destroy()); // told to the other side by its close
      socket.on('close', () => end(pair));
    }
    forward(pair.client, pair.server, () => mode !== 'black-hole');
    forward(pair.server, pair.client, () => mode !== 'black-hole' && mode !== 'drop-responses');
    if (mode === 'stall') pauseBoth(pair);
  });

  const end = (pair: Pair): void => {
    if (!pairs.delete(pair)) return;
    pair.client.destroy();
    pair.server.destroy();
  };

  /** Forwards bytes, late while delayed; bytes of a cut connection are lost. */
  function forward(from: Socket, to: Socket, isOpen: () => boolean): void {
    let lastDueMs = 0;
    from.on('data', (chunk) => {
      if (!isOpen()) return;
      const dueMs = Math.max(lastDueMs, mode === 'delay' ? performance.now() + DELAY_MS : 0);
      lastDueMs = dueMs;
      const waitMs = dueMs - performance.now();
      if (waitMs > 0) setTimeout(() => to.writable && to.write(chunk), waitMs);
      else if (to.writable && !to.write(chunk)) {
        from.pause();
        to.once('drain', () => mode === 'stall' || from.resume());
      }
    });
    from.on('end', () => to.end());
  }

  const pauseBoth = ({ client, server }: Pair): void => {
    client.pause();
    server.pause();
  };

  const breakAll = (): void => {
    for (const { client, server } of pairs) {
      client.resetAndDestroy();
      server.resetAndDestroy();
    }
  };

  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  return {
    port: (listener.address() as AddressInfo).port,
    disturb(wanted) {
      mode = wanted;
      if (mode === 'reset') breakAll();
      if (mode === 'stall') for (const pair of pairs) pauseBoth(pair);
    },
    restore() {
      if (mode !== 'pass' && mode !== 'delay') breakAll();
      mode = 'pass';
    },
    async close() {
      const closed = once(listener, 'close');
      listener.close();
      for (const { client, server } of pairs) {
        client.destroy();
        server.destroy();
      }
      await closed;
    },
  };
}

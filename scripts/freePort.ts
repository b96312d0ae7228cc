import { createServer } from 'node:net';

/**
 * Where free ports are looked for: below the ports that Linux gives to outgoing connections, which would take one between
 * the look and its use, or while its server is being started again. Above is the range of the S3 server.
 */
const PORTS = { first: 10_000, last: 19_999 };

/** A TCP port free on loopback at this moment. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = PORTS.first + Math.floor(Math.random() * (PORTS.last - PORTS.first + 1));
    if (await isFree(port)) return port;
  }
}

/** Whether nobody listens on a port of the loopback. */
export function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

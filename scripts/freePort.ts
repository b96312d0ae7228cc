import { createServer } from 'node:net';

/**
 * Range of free ports, below the ports of Linux's outgoing connections.
 *
 * An outgoing connection could take a port before its server starts. The range above belongs to the S3 server.
 */
const PORTS = { first: 10_000, last: 19_999 };

/** A loopback TCP port that is free at this moment. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = PORTS.first + Math.floor(Math.random() * (PORTS.last - PORTS.first + 1));
    if (await isFree(port)) return port;
  }
}

/** Whether no server listens on a loopback port. */
export function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

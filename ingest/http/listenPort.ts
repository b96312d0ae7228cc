import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';

const PROBE_MS = 1_000;

/**
 * The port to listen on. uWebSockets shares a named port (SO_REUSEPORT) with every process that does the same, which has two
 * sides: two receivers of different installations on one machine would each get half of the other's requests, unnoticed,
 * so unless told to share, a port that someone answers on is refused; and a receiver that is started again gets its port
 * back while connections of the one before linger (TIME_WAIT), so a free port is chosen here and named, too.
 * @throws Error saying what to change.
 */
export async function listenPort({
  host,
  port,
  share,
}: {
  host: string;
  port: number;
  share: boolean;
}): Promise<number> {
  if (port === 0) return freePort(host);
  // Asking is better than binding: to bind without SO_REUSEPORT fails on lingering connections as well.
  if (!share && (await answers(host, port))) {
    throw new Error(
      `cannot listen on ${host}:${port}: it is in use. Set INGEST_PORT to another one, or INGEST_SHARE_PORT=true for several receivers of one installation`,
    );
  }
  return port;
}

async function freePort(host: string): Promise<number> {
  const server = createServer().listen(0, host);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

function answers(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const end = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    const socket = connect({ host: host === '0.0.0.0' ? '127.0.0.1' : host, port });
    socket.once('connect', () => end(true));
    socket.once('error', () => end(false));
    socket.setTimeout(PROBE_MS, () => end(false));
  });
}

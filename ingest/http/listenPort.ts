import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';

const PROBE_MS = 1_000;

/**
 * Choose the port to listen on.
 * uWebSockets shares its port (SO_REUSEPORT), so two installations on one machine would halve each other's requests. A port
 * with a listener is therefore an error, unless sharing is on. A free port is chosen here, because a named port can be bound
 * again while old connections linger (TIME_WAIT).
 * @throws Error naming the setting to change
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
  // Connect instead of bind: without SO_REUSEPORT a bind fails on lingering connections too.
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

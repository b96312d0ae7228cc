import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

export interface LossyProxy {
  url: string;
  /** Answers to PUT lost so far. */
  readonly lost: number;
  /** The next PUTs reach the server, but their answers do not come back: the connection breaks instead. */
  loseAnswers(count: number): void;
  stop(): Promise<void>;
}

/** A TCP proxy in front of an HTTP server that can break connections at the worst moment: after the work is done. */
export async function startLossyProxy(target: URL): Promise<LossyProxy> {
  let left = 0;
  let lost = 0;
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(Number(target.port), target.hostname);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
      socket.on('error', () => socket.destroy());
    }
    let put = false;
    client.on('data', (chunk) => {
      if (chunk.subarray(0, 4).toString('latin1') === 'PUT ') put = true;
      else if (chunk.subarray(0, 4).toString('latin1') === 'GET ') put = false;
      upstream.write(chunk);
    });
    upstream.on('data', (chunk) => {
      const interim = chunk.subarray(0, 12).toString('latin1') === 'HTTP/1.1 100';
      if (put && left > 0 && !interim) {
        left--;
        lost++;
        client.destroy();
        upstream.destroy();
      } else {
        client.write(chunk);
      }
    });
    client.on('end', () => upstream.end());
    upstream.on('end', () => client.end());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get lost() {
      return lost;
    },
    loseAnswers: (count) => {
      left = count;
    },
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

import { connect, type Socket } from 'node:net';
import { runProcess } from '../../runtime/process.ts';

/** Who is cut off comes back within this time, each when it likes: all at once would be a load of our making. */
const AGAIN_WITHIN_MS = 4_000;

/**
 * Holds connections to a receiver, as browsers with nothing to say and as senders on bad lines do: HOLD_IDLE that send
 * nothing, HOLD_SLOW that send a body a few bytes at a time. The receiver cuts off who is silent for ten seconds.
 */
await runProcess('hold', async ({ env, resources, ready }) => {
  const port = Number(env.HOLD_PORT);
  const open = new Set<Socket>();
  let stopping = false;
  const hold = (begin: (socket: Socket) => () => void): Promise<void> =>
    new Promise((resolve) => {
      const socket = connect(port, '127.0.0.1', () => resolve());
      const end = begin(socket);
      open.add(socket);
      socket.on('error', () => undefined); // cut off: 'close' follows
      socket.on('close', () => {
        end();
        open.delete(socket);
        if (!stopping) setTimeout(() => void hold(begin), Math.random() * AGAIN_WITHIN_MS).unref();
      });
      socket.resume();
    });
  const slow = (socket: Socket): (() => void) => {
    socket.write(
      `POST /api/events HTTP/1.1\r\nHost: slow\r\nContent-Type: application/json\r\nX-Instrumentation-Key: ${env.HOLD_KEY}\r\nContent-Length: 8192\r\n\r\n{`,
    );
    const timer = setInterval(() => socket.write(' '.repeat(8)), 250);
    return () => clearInterval(timer);
  };
  resources.add('connections', open, (sockets) => {
    stopping = true;
    for (const socket of sockets) socket.destroy();
  });
  for (let held = 0; held < Number(env.HOLD_IDLE); held++) await hold(() => () => undefined);
  for (let held = 0; held < Number(env.HOLD_SLOW); held++) await hold(slow);
  ready({ connections: open.size });
});

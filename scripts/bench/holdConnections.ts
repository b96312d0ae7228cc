import { connect, type Socket } from 'node:net';
import { runProcess } from '../../runtime/process.ts';

/**
 * Holds connections to a receiver, as browsers with nothing to say and as senders on bad lines do: HOLD_IDLE that send
 * nothing, HOLD_SLOW that send a body of HOLD_BODY_BYTES a few bytes at a time; who is cut off comes again.
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
        if (!stopping) setTimeout(() => void hold(begin), 500).unref();
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

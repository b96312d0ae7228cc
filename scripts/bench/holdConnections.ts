import { connect, type Socket } from 'node:net';
import { lowerPriority } from '../../runtime/niceness.ts';
import { delay } from '../../runtime/retry.ts';
import { runProcess } from '../../runtime/process.ts';

/** Time over which connections open, so that opening is no load. */
const COME_WITHIN_MS = 12_000;
const TICK_MS = 20;
/** Longest random wait before a closed connection opens again. */
const AGAIN_WITHIN_MS = 4_000;
/** Priority below the receiver's: real clients run on other machines. A lower one is too slow. */
const NICENESS = 5;

/**
 * Holds connections to a receiver, like silent and slow clients.
 *
 * HOLD_IDLE connections send nothing, and HOLD_SLOW send a body a few bytes at a time. The receiver closes connections
 * that are silent for ten seconds.
 */
await runProcess('hold', async ({ env, resources, ready }) => {
  lowerPriority(NICENESS);
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
  const begins = [
    ...Array.from({ length: Number(env.HOLD_IDLE) }, () => () => () => undefined),
    ...Array.from({ length: Number(env.HOLD_SLOW) }, () => slow),
  ];
  const each = Math.ceil((begins.length * TICK_MS) / COME_WITHIN_MS);
  for (let held = 0; held < begins.length; held += each) {
    await Promise.all(begins.slice(held, held + each).map(hold));
    await delay(TICK_MS);
  }
  ready({ connections: open.size });
});

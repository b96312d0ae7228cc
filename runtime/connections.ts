import { readFileSync } from 'node:fs';
import type { Server } from 'node:http';
import type { Socket } from 'node:net';

/** Most connections, whatever the limit of open files: each takes memory too. */
const MOST = 4_096;
/** Open files besides connections: the lake's files and their reads, pipes of child processes, the log. */
const RESERVE = 512;
/** The part of a small limit that connections may take. */
const SHARE = 0.5;

/**
 * Number of connections that leave a reserve of open files.
 * @param openFiles limit of the process; Infinity: none
 */
export function connectionLimit(openFiles: number): number {
  return Math.min(MOST, Math.max(openFiles - RESERVE, Math.floor(openFiles * SHARE)));
}

/** This process's limit of open files (proc(5), `/proc/self/limits`); 1,024 where it cannot be read. */
export function openFilesLimit(): number {
  try {
    const soft = /^Max open files\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
    if (soft === 'unlimited') return Infinity;
    return soft === undefined ? 1_024 : Number(soft);
  } catch {
    return 1_024; // not Linux
  }
}

/**
 * Bounds a server's connections, and keeps room for new ones.
 *
 * At the limit a new connection replaces another without a request under way: one that has never sent a request, else
 * the one idle for longest. So silent connections shut nobody out. Without such a connection the new one is closed.
 */
export function boundConnections(server: Server, most: number): void {
  /** Connections without a request under way, in the order in which they became so; `silent` ones never had any. */
  const silent = new Set<Socket>();
  const idle = new Set<Socket>();
  /** Requests under way; a caller may send several before the first answer. */
  const requests = new WeakMap<Socket, number>();
  let count = 0;
  server.on('connection', (socket: Socket) => {
    if (count >= most) {
      const [oldest] = silent.size > 0 ? silent : idle;
      if (!oldest) return void socket.destroy();
      silent.delete(oldest);
      idle.delete(oldest);
      oldest.destroy();
    }
    count++;
    silent.add(socket);
    socket.once('close', () => {
      count--;
      silent.delete(socket);
      idle.delete(socket);
    });
  });
  server.on('request', ({ socket }, response) => {
    silent.delete(socket);
    idle.delete(socket);
    requests.set(socket, (requests.get(socket) ?? 0) + 1);
    response.once('close', () => {
      const left = requests.get(socket)! - 1;
      requests.set(socket, left);
      if (left === 0 && !socket.destroyed) idle.add(socket);
    });
  });
}

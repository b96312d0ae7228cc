import { pino, type Logger } from 'pino';

export type { Logger };

/** Log of one process: JSON lines on stderr, because stdout holds answers. */
export function createLog(component: string, level: string = 'info'): Logger {
  return pino(
    { level, base: { component, pid: process.pid }, timestamp: pino.stdTimeFunctions.isoTime },
    pino.destination({ fd: 2, sync: false }),
  );
}

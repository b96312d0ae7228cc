import { pino, type Logger } from 'pino';

export type { Logger };

/** The log of one process: JSON lines on stderr, so that stdout stays free for answers. Level from `LOG_LEVEL`. */
export function createLog(component: string, level: string = 'info'): Logger {
  return pino(
    { level, base: { component, pid: process.pid }, timestamp: pino.stdTimeFunctions.isoTime },
    pino.destination({ fd: 2, sync: false }),
  );
}

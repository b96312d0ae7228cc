import { pino, type Logger } from 'pino';
import { shownText } from './plainText.ts';

export type { Logger };

/** Log of one process: JSON lines on stderr, because stdout holds answers. Control characters are escaped. */
export function createLog(component: string, level: string = 'info'): Logger {
  return pino(
    {
      level,
      base: { component, pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      hooks: { streamWrite: shownText },
    },
    pino.destination({ fd: 2, sync: false }),
  );
}

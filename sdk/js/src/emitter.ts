import type { DropNotice, ErrorNotice, TrackerEvents } from './api.ts';

export interface Emitter {
  on: <K extends keyof TrackerEvents>(name: K, listener: (notice: TrackerEvents[K]) => void) => () => void;
  emit: <K extends keyof TrackerEvents>(name: K, notice: TrackerEvents[K]) => void;
  /** Call, and keep a fault out of the page: that of a listener, or of a built-in that the page has replaced. */
  attempt: <T>(call: () => T) => T | undefined;
}

type Entry = [name: string, listener: (notice: object) => void];

/**
 * Create an emitter, which also writes to the page's console.
 *
 * The console gets the first problem of each code, and with `debug` every notice.
 */
export function createEmitter(debug: boolean | undefined): Emitter {
  const listeners = new Set<Entry>();
  /** Codes that the console needs no more; at first what a shop cannot change, and no code at all. */
  const said = new Set([undefined, 'closed', 'consent', 'unseen', 'network_error'] as (string | undefined)[]);
  const print = (how: 'error' | 'log', ...details: unknown[]): void => {
    try {
      console[how]('spor', ...details); // oxlint-disable-line no-console -- the only place where a shop sees its mistakes
    } catch {
      // The page's console is one.
    }
  };
  const attempt: Emitter['attempt'] = (call) => {
    try {
      return call();
    } catch (error) {
      print('error', error);
    }
  };
  return {
    on: (wanted, listener) => {
      const entry: Entry = [wanted, listener as Entry[1]];
      listeners.add(entry);
      return () => listeners.delete(entry);
    },
    emit: (name, notice) => {
      const { reason, code = reason! } = notice as Partial<DropNotice & ErrorNotice>;
      if (debug || !said.has(code)) print(debug ? 'log' : 'error', name, notice);
      said.add(code);
      for (const [wanted, listener] of listeners) if (wanted === name) attempt(() => listener(notice));
    },
    attempt,
  };
}

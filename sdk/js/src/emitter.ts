import type { DropNotice, ErrorNotice, TrackerEvents } from './api.ts';

export interface Emitter {
  on: <K extends keyof TrackerEvents>(name: K, listener: (notice: TrackerEvents[K]) => void) => () => void;
  emit: <K extends keyof TrackerEvents>(name: K, notice: TrackerEvents[K]) => void;
}

/** What the shop has asked for. */
const EXPECTED = /^(closed|consent|unseen)$/;

/**
 * Create an emitter, which also writes to the page's console.
 *
 * The console gets the first problem of each code that the shop can change, and with `debug` every notice. It also reports a listener that throws; the
 * others still run.
 */
export function createEmitter(debug: boolean | undefined): Emitter {
  const listeners = new Set<(name: string, notice: never) => void>();
  const said = new Set<string>();
  return {
    on: (wanted, listener) => {
      const entry = (name: string, notice: never): void => {
        if (name === wanted) listener(notice);
      };
      listeners.add(entry);
      return () => {
        listeners.delete(entry);
      };
    },
    emit: (name, notice) => {
      /* oxlint-disable no-console -- the only place where a shop sees that its events are refused */
      const {
        reason,
        code = reason,
        path,
        message,
        event,
        status,
        retryable,
      } = notice as Partial<DropNotice & ErrorNotice>;
      const passing = retryable && (!status || status > 428); // No connection, or a busy receiver.
      try {
        if (debug) console.log('spor', name, notice);
        else if (code && !passing && !said.has(code) && !EXPECTED.test(code)) {
          said.add(code);
          console.error('spor', code, path ?? '', message ?? '', event ?? '');
        }
      } catch {
        // A page's own console may throw.
      }
      for (const listener of listeners) {
        try {
          listener(name, notice as never);
        } catch (error) {
          console.error(error); // A mistake in the shop's code.
        }
      }
      /* oxlint-enable no-console */
    },
  };
}

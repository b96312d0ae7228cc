import type { TrackerEvents } from './api.ts';

export interface Emitter {
  on: <K extends keyof TrackerEvents>(name: K, listener: (notice: TrackerEvents[K]) => void) => () => void;
  emit: <K extends keyof TrackerEvents>(name: K, notice: TrackerEvents[K]) => void;
}

/** Create an emitter. The console reports a listener that throws; the others still run. */
export function createEmitter(): Emitter {
  const listeners = new Set<(name: string, notice: never) => void>();
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
      for (const listener of listeners) {
        try {
          listener(name, notice as never);
        } catch (error) {
          console.error(error); // oxlint-disable-line no-console -- a mistake in the shop's code
        }
      }
    },
  };
}

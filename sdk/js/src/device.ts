import type { Host, WebStorage } from './host.ts';

/** Small named values: on the visitor's device when that is allowed and works, in memory otherwise. */
export interface Device {
  /** Allows reading and writing the device, or forbids it and removes everything this tracker stored there. */
  allow(yes: boolean): void;
  /** What was written last; what the device holds goes before memory, as another tab may have written it. */
  read<T extends unknown[]>(name: string): T | undefined;
  /** @returns whether the device has it. */
  write(name: string, value: unknown[]): boolean | undefined;
  erase(name: string): void;
  /** Names on the device that begin with `start`, without order. */
  names(start: string): string[];
}

/**
 * A view of Web Storage under a prefix. Storage may throw at any call (quota, private mode, blocked by settings); callers
 * see that as "not on the device".
 */
export function createDevice(host: Host, prefix: string): Device {
  const memory: Record<string, unknown[] | undefined> = {};
  let allowed: WebStorage | undefined;
  const attempt = <T>(use: (storage: WebStorage) => T): T | undefined => {
    try {
      return use(allowed!); // Where there is none, that throws too.
    } catch {
      return; // The caller's "not on the device".
    }
  };
  const names = (start: string): string[] =>
    attempt((storage) =>
      Object.keys(storage)
        .filter((key) => key.startsWith(prefix + start))
        .map((key) => key.slice(prefix.length)),
    ) ?? [];
  const erase = (name: string): void => {
    memory[name] = undefined;
    attempt((storage) => storage.removeItem(prefix + name));
  };
  return {
    allow: (yes) => {
      attempt(() => (allowed = host.document && host.localStorage));
      if (yes) return;
      names('').forEach(erase); // A refusal also clears what an earlier consent stored.
      allowed = undefined;
    },
    read: <T extends unknown[]>(name: string) =>
      // All our values are lists; what is none was not written by us, has no flat(), and counts as absent.
      attempt((storage) => (JSON.parse(storage.getItem(prefix + name)!) as unknown[]).flat(0) as T) ??
      (memory[name] as T | undefined),
    write: (name, value) => {
      memory[name] = value;
      const done = attempt((storage) => {
        storage.setItem(prefix + name, JSON.stringify(value));
        return true;
      });
      // An older value must not be read in place of this one.
      if (!done) attempt((storage) => storage.removeItem(prefix + name));
      return done;
    },
    erase,
    names,
  };
}

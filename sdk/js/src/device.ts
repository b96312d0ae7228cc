import type { Host, WebStorage } from './host.ts';

/** Store of small named values, on the device or in memory. */
export interface Device {
  /** Allow the device, or forbid it and remove everything stored by this tracker. */
  allow(yes: boolean): void;
  /**
   * Read the latest value.
   *
   * The device comes before memory, because another tab may have written it.
   */
  read<T extends unknown[]>(name: string): T | undefined;
  /** @returns true if the value is on the device. */
  write(name: string, value: unknown[]): boolean | undefined;
  erase(name: string): void;
  /** Unordered names on the device that begin with `start`. */
  names(start: string): string[];
}

/**
 * Create a view of Web Storage under a prefix.
 *
 * Any call of Web Storage may throw (quota, private mode, settings). Callers treat that as "not on the device".
 */
export function createDevice(host: Host, prefix: string): Device {
  const memory: Record<string, unknown[] | undefined> = {};
  let allowed: WebStorage | undefined;
  const attempt = <T>(use: (storage: WebStorage) => T): T | undefined => {
    try {
      return use(allowed!); // Throws without a storage.
    } catch {
      return; // Callers treat undefined as "not on the device".
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
      // All values are lists. Another value has no flat(), is not the tracker's, and counts as absent.
      attempt((storage) => (JSON.parse(storage.getItem(prefix + name)!) as unknown[]).flat(0) as T) ??
      (memory[name] as T | undefined),
    write: (name, value) => {
      memory[name] = value;
      const done = attempt((storage) => {
        storage.setItem(prefix + name, JSON.stringify(value));
        return true;
      });
      // Remove the older value, which would be read instead of this one.
      if (!done) attempt((storage) => storage.removeItem(prefix + name));
      return done;
    },
    erase,
    names,
  };
}

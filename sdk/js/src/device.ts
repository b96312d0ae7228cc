import type { Host, WebStorage } from './host.ts';
import { toJson } from './json.ts';

/** What all names of ours begin with. */
const OURS = 'spor.';

/** Store of small named values, in Web Storage or in memory. */
export interface Device {
  /** Allow Web Storage, or forbid it and remove everything that a tracker of ours stored there. */
  allow(yes: boolean): void;
  /**
   * Load the latest value.
   *
   * Web Storage comes before memory, because another tab may have written it.
   */
  load<T extends unknown[]>(name: string): T | undefined;
  /** @returns true if the value is in Web Storage. */
  save(name: string, value: unknown[]): boolean | undefined;
  wipe(name: string): void;
  /** Unordered names in Web Storage that begin with `start`. */
  names(start: string): string[];
}

/**
 * Create a view of Web Storage for one receiver.
 *
 * All keys of a receiver share it, so that a key can be rotated. Its names begin with `spor.`, the end of the first key that was
 * used here, and a dot. `spor.@<owner>` says which key that was.
 *
 * Any call of Web Storage may throw (quota, private mode, settings). Callers treat that as "only in memory".
 * @param owner names receiver and segment.
 * @param area of the device or of the tab; absent: memory alone, which is the page's.
 */
export function createDevice(
  host: Host,
  owner: string,
  instrumentationKey: string,
  area?: 'localStorage' | 'sessionStorage',
): Device {
  let prefix = `${OURS + instrumentationKey.slice(-8)}.`;
  let memory: Record<string, unknown[] | undefined> = {};
  let allowed: WebStorage | undefined;
  const attempt = <T>(use: (storage: WebStorage) => T): T | undefined => {
    try {
      return use(allowed!); // Throws without a storage.
    } catch {
      // Callers treat undefined as "only in memory".
    }
  };
  const names = (start: string, under = prefix): string[] =>
    attempt((storage) =>
      Object.keys(storage)
        .filter((key) => key.startsWith(under + start))
        .map((key) => key.slice(under.length)),
    ) ?? [];
  const wipe = (name: string): void => {
    memory[name] = undefined;
    attempt((storage) => delete storage[prefix + name]);
  };
  return {
    allow: (yes) => {
      attempt(() => (allowed = host.document && host[area!]));
      if (yes) {
        attempt((storage) => (prefix = storage[`${OURS}@${owner}`] ??= prefix));
        return;
      }
      // A refusal also clears what an earlier consent stored, under any key and for any receiver.
      for (const name of names('', OURS)) attempt((storage) => delete storage[OURS + name]);
      memory = {};
      allowed = undefined;
    },
    load: <T extends unknown[]>(name: string) =>
      // All values are lists. Another value has no flat(), is not the tracker's, and counts as absent.
      attempt((storage) => (JSON.parse(storage[prefix + name]!) as unknown[]).flat(0) as T) ??
      (memory[name] as T | undefined),
    save: (name, value) => {
      const done = attempt((storage) => {
        storage.setItem(prefix + name, toJson(value));
        return true;
      });
      if (!done) wipe(name); // An older value would be read instead of this one.
      memory[name] = value;
      return done;
    },
    wipe,
    names,
  };
}

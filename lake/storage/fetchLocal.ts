import type { Storage } from './storage.ts';

/**
 * Path of an object's file on this machine: its own in a lake that is a folder, else `copy`, which must not exist yet.
 * Undefined where the store has no such object. The path in a folder is not checked: the file may be missing.
 */
export async function fetchLocal(storage: Storage, path: string, copy: string): Promise<string | undefined> {
  const local = storage.localPath(path);
  if (local !== undefined) return local;
  return (await storage.download(path, copy)) ? copy : undefined;
}

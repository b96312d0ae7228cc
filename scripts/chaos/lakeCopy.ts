import { mkdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Storage } from '../../lake/storage/storage.ts';

/** A copy of all objects of a lake, in a folder. */
export interface LakeCopy {
  /** Makes the lake equal to the copy; nothing may write to it meanwhile. */
  putBack: () => Promise<void>;
  remove: () => Promise<void>;
}

const HINT = '/_last_checkpoint';

/**
 * Copies a lake while services write to it, in a folder or in S3.
 *
 * The logs come first: what a log names was there before it. Objects are immutable but for the hints of the newest
 * checkpoint.
 */
export async function copyLake(storage: Storage, folder: string): Promise<LakeCopy> {
  const copied = new Set<string>();
  const isLog = (path: string): boolean => path.includes('/_delta_log/');
  for (const logs of [true, false]) {
    for await (const { path } of storage.list('')) {
      if (isLog(path) !== logs) continue;
      const file = join(folder, path);
      await mkdir(dirname(file), { recursive: true });
      if (await storage.download(path, file)) copied.add(path);
    }
  }
  return {
    async putBack() {
      const present = new Set<string>();
      for await (const { path } of storage.list('')) present.add(path);
      const isKept = (path: string): boolean => copied.has(path) && present.has(path) && !path.endsWith(HINT);
      await storage.delete([...present].filter((path) => !isKept(path)));
      for (const path of copied) if (!isKept(path)) await storage.upload(path, join(folder, path));
    },
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

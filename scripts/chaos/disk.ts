import { execFile } from 'node:child_process';
import { mkdir, statfs } from 'node:fs/promises';
import { promisify } from 'node:util';
import { MIB } from '../../runtime/units.ts';

const run = promisify(execFile);

/** A folder on a small disk of its own that can be full. */
export interface SmallDisk {
  /** Leaves no room for one byte more. */
  fill: () => Promise<void>;
  /** Gives it its room back. */
  free: () => Promise<void>;
  unmount: () => Promise<void>;
}

/**
 * Mounts a tmpfs on a folder, made where there is none. It is filled by shrinking it to what it holds, and freed by growing
 * it again: nothing needs to be written for that.
 * @throws Error where this process may not mount.
 */
export async function mountDisk(folder: string, megabytes: number): Promise<SmallDisk> {
  await mkdir(folder, { recursive: true });
  await run('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m,mode=700`, 'spor-chaos', folder]);
  const resize = (bytes: number): Promise<unknown> => run('mount', ['-o', `remount,size=${bytes}`, folder]);
  return {
    async fill() {
      const { blocks, bfree, bsize } = await statfs(folder);
      // A file may grow between the look and the shrinking, which is refused then.
      for (let spare = 0; ; spare += 16) {
        try {
          // A size of 0 would be none at all, for good.
          await resize(Math.max(1, blocks - bfree + spare) * bsize);
          return;
        } catch (error) {
          if (spare > 1_024) throw error;
        }
      }
    },
    free: async () => void (await resize(megabytes * MIB)),
    unmount: async () => void (await run('umount', ['-l', folder])),
  };
}

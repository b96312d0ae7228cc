import { execFile } from 'node:child_process';
import { mkdir, statfs } from 'node:fs/promises';
import { promisify } from 'node:util';
import { MIB } from '../../runtime/units.ts';

const run = promisify(execFile);

/** A folder on its own small disk, which can become full. */
export interface SmallDisk {
  /** Leaves no room for another byte. */
  fill: () => Promise<void>;
  /** Frees the room again. */
  free: () => Promise<void>;
  unmount: () => Promise<void>;
}

/**
 * Mounts a tmpfs on a folder, and creates the folder if needed.
 *
 * Shrinking it to its contents fills it, and growing it frees it, without any write.
 * @throws Error if this process may not mount
 */
export async function mountDisk(folder: string, megabytes: number): Promise<SmallDisk> {
  await mkdir(folder, { recursive: true });
  await run('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m,mode=700`, 'spor-chaos', folder]);
  const resize = (bytes: number): Promise<unknown> => run('mount', ['-o', `remount,size=${bytes}`, folder]);
  return {
    async fill() {
      const { blocks, bfree, bsize } = await statfs(folder);
      // A file may grow before the shrinking, which then fails.
      for (let spare = 0; ; spare += 16) {
        try {
          // A size of 0 would mean no bound.
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

import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { isAlive } from '../../runtime/isAlive.ts';

/** A folder that one stack owns until it is released. */
export interface StackFolder {
  /** Absolute. */
  path: string;
  release: () => Promise<void>;
}

const LOCK = 'supervisor.pid';

/**
 * Creates `<parent>/<name>-<n>` with the lowest n that is free.
 */
export async function claimNewFolder(parent: string, name: string): Promise<StackFolder> {
  await mkdir(parent, { recursive: true });
  for (let n = 1; ; n++) {
    const path = join(parent, `${name}-${n}`);
    try {
      await mkdir(path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') continue;
      throw error;
    }
    return claimFolder(path);
  }
}

/**
 * Claims a folder, so that no two stacks share their stores.
 * @throws Error with the process that has claimed it
 */
export async function claimFolder(folder: string): Promise<StackFolder> {
  const path = resolve(folder);
  const lock = join(path, LOCK);
  await mkdir(path, { recursive: true });
  for (;;) {
    try {
      await writeFile(lock, `${process.pid}\n`, { flag: 'wx' });
      return { path, release: () => rm(lock, { force: true }) };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const owner = Number(await readFile(lock, 'utf8').catch(() => '0'));
    if (owner > 0 && isAlive(owner)) {
      throw new Error(`process ${owner} is using ${path}: stop it first, or choose another folder with --dir`);
    }
    await rm(lock, { force: true }); // left by a supervisor that was killed
  }
}

import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isAlive } from '../../runtime/isAlive.ts';

/** Removes scratch folders of dead processes, named `compact-<pid>-…`. */
export async function removeScratch(workDir: string): Promise<void> {
  for (const name of await readdir(workDir)) {
    const pid = Number(/^compact-(\d+)-/.exec(name)?.[1]);
    if (Number.isNaN(pid)) continue;
    // In a container, the previous process had the same pid.
    if (pid === process.pid || !isAlive(pid)) await rm(join(workDir, name), { recursive: true, force: true });
  }
}

import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

/** Removes what killed processes left in a scratch folder; their folders are named `compact-<pid>-…`. */
export async function removeScratch(workDir: string): Promise<void> {
  for (const name of await readdir(workDir)) {
    const pid = Number(/^compact-(\d+)-/.exec(name)?.[1]);
    if (Number.isNaN(pid)) continue;
    // In a container, the one before had this very pid.
    if (pid === process.pid || !isAlive(pid)) await rm(join(workDir, name), { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { isAlive } from './isAlive.ts';

/**
 * Create this process's folder for unfinished files, and remove those of dead processes.
 * Their files are worthless: uncommitted events are read from the stream again.
 */
export async function openWorkDir(parent: string, component: string): Promise<string> {
  const own = new RegExp(`^${component}-(\\d+)-`);
  const folder = resolve(parent);
  await mkdir(folder, { recursive: true });
  for (const name of await readdir(folder)) {
    const pid = Number(own.exec(name)?.[1] ?? NaN);
    // This process has no folder yet, so a folder with its number is of a dead process.
    if (!Number.isNaN(pid) && (pid === process.pid || !isAlive(pid))) await removeWorkDir(join(folder, name));
  }
  return mkdtemp(join(folder, `${component}-${process.pid}-`));
}

export async function removeWorkDir(dir: string): Promise<void> {
  await rm(dir, { recursive: true, force: true });
}

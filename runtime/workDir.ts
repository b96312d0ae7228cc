import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { isAlive } from './isAlive.ts';

/**
 * Makes this process's own folder for unfinished files, and removes those of the component's processes that are gone: nothing
 * in them matters, as whatever was not committed is read from the stream again.
 */
export async function openWorkDir(parent: string, component: string): Promise<string> {
  const own = new RegExp(`^${component}-(\\d+)-`);
  const folder = resolve(parent);
  await mkdir(folder, { recursive: true });
  for (const name of await readdir(folder)) {
    const pid = Number(own.exec(name)?.[1] ?? NaN);
    // A process that has just begun has made no folder yet: one with its number is its predecessor's.
    if (!Number.isNaN(pid) && (pid === process.pid || !isAlive(pid))) await removeWorkDir(join(folder, name));
  }
  return mkdtemp(join(folder, `${component}-${process.pid}-`));
}

export async function removeWorkDir(dir: string): Promise<void> {
  await rm(dir, { recursive: true, force: true });
}

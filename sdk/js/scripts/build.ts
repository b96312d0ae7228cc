import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { bundle } from './bundle.ts';
import { declarations } from './declarations.ts';

const DIST = new URL('../dist', import.meta.url).pathname;

/** Writes everything the package publishes into a folder, which is emptied first. */
export async function buildPackage(folder: string): Promise<void> {
  const files = await Promise.all([bundle(), declarations()]);
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  for (const [name, text] of files.flatMap((part) => [...part])) await writeFile(join(folder, name), text);
}

if (process.argv[1] === import.meta.filename) await buildPackage(DIST);

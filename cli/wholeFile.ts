import { randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, realpath, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { writeNewFile, type Pieces } from '../runtime/newFile.ts';

/**
 * Write a file whole or not at all, and create its folder.
 * The pieces go to a temporary file beside it, which then takes the name. Pipes and devices are written directly.
 * @throws errors of the pieces and of the file system
 */
export async function writeWhole(out: string, pieces: Pieces): Promise<void> {
  await mkdir(dirname(out), { recursive: true });
  const there = await stat(out).catch(() => undefined);
  if (there && !there.isFile()) return pipeline(pieces, createWriteStream(out));
  const target = there ? await realpath(out) : out; // a link stays a link
  const unfinished = `${target}.${randomUUID()}.unfinished`;
  await writeNewFile(unfinished, pieces, there && there.mode & 0o777);
  try {
    await rename(unfinished, target);
  } catch (error) {
    await rm(unfinished, { force: true });
    throw error;
  }
}

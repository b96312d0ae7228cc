import { randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, realpath, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { pipeline } from 'node:stream/promises';

/** Contents of a file in pieces. */
export type Pieces = Iterable<string | Uint8Array> | AsyncIterable<string | Uint8Array>;

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
  try {
    await pipeline(
      pieces,
      createWriteStream(unfinished, { flags: 'wx', ...(there ? { mode: there.mode & 0o777 } : {}) }),
    );
    await rename(unfinished, target);
  } catch (error) {
    await rm(unfinished, { force: true });
    throw error;
  }
}

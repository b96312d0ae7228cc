import { randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, realpath, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { pipeline } from 'node:stream/promises';

/** Contents of a file, piece by piece. */
export type Pieces = Iterable<string | Uint8Array> | AsyncIterable<string | Uint8Array>;

/**
 * Writes a file whole or not at all: under another name beside it, then renamed. A file that is there stays as it was until then.
 * Pipes and devices are written directly. Makes the folder.
 * @throws what the pieces throw, and errors of the file system
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

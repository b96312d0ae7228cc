import { open, rm } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';

/** Contents of a file in pieces. */
export type Pieces = Iterable<string | Uint8Array> | AsyncIterable<string | Uint8Array>;

/**
 * Write a new file from pieces, or leave none.
 * It is open before the first piece: a stream that opens it itself may do so after a failure has removed it.
 * @throws errors of the pieces and of the file system; EEXIST where there is a file already
 */
export async function writeNewFile(path: string, pieces: Pieces, mode = 0o666): Promise<void> {
  const file = await open(path, 'wx', mode);
  try {
    await pipeline(pieces, file.createWriteStream());
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  }
}

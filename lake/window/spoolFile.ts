import { open, type FileHandle } from 'node:fs/promises';

/** Gathered bytes that justify a write. */
export const MIN_WRITE_BYTES = 1 << 20;
/** Buffers written by one system call. */
const BUFFERS_A_WRITE = 256;

/** The file of a spool, written from front to back. */
export class SpoolFile {
  readonly path: string;
  #file: FileHandle | undefined;
  #bytes = 0;
  #closed = false;

  constructor(path: string) {
    this.path = path;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Appends buffers. A retry after a failure writes at the same place. */
  async append(buffers: readonly Buffer[]): Promise<void> {
    this.#file ??= await open(this.path, 'w');
    let end = this.#bytes;
    for (let first = 0; first < buffers.length; first += BUFFERS_A_WRITE) {
      end = await writeAll(this.#file, buffers.slice(first, first + BUFFERS_A_WRITE), end);
    }
    this.#bytes = end;
  }

  /** Closes the file for good. */
  async close(): Promise<void> {
    await this.abandon();
    this.#closed = true;
  }

  /** Closes the file, finished or not. */
  async abandon(): Promise<void> {
    await this.#file?.close();
    this.#file = undefined;
  }
}

/** Writes at a position, in several calls if needed. Returns the end position. */
async function writeAll(file: FileHandle, buffers: Buffer[], position: number): Promise<number> {
  for (let rest = buffers.filter(({ length }) => length > 0); rest.length > 0;) {
    const { bytesWritten } = await file.writev(rest, position);
    position += bytesWritten;
    rest = behind(rest, bytesWritten);
  }
  return position;
}

/** Rest of the buffers after a number of bytes. */
function behind(buffers: Buffer[], bytes: number): Buffer[] {
  let index = 0;
  for (; index < buffers.length && bytes >= buffers[index]!.length; index++) bytes -= buffers[index]!.length;
  const rest = buffers.slice(index);
  if (bytes > 0) rest[0] = rest[0]!.subarray(bytes);
  return rest;
}

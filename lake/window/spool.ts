import { open, type FileHandle } from 'node:fs/promises';

const FIRST_BYTES = 1 << 20;
const DRAIN_BYTES = 1 << 20;

/** A file written from front to back through a buffer: appending never waits, `drain` writes what has gathered. */
export class Spool {
  readonly path: string;
  #file: FileHandle | undefined;
  #buffer = Buffer.allocUnsafe(0);
  #length = 0;
  #fileBytes = 0;
  #closed = false;

  constructor(path: string) {
    this.path = path;
  }

  /** Whether enough has gathered to be worth writing. */
  get full(): boolean {
    return this.#length >= DRAIN_BYTES;
  }

  /** Appends a value as a line of JSON; returns its length in bytes. */
  appendJson(value: unknown): number {
    const line = `${JSON.stringify(value)}\n`;
    this.#makeRoom(line.length * 3);
    const bytes = this.#buffer.write(line, this.#length, 'utf8');
    this.#length += bytes;
    return bytes;
  }

  /** Writes what has gathered. May be tried again after a failure: it writes at the same place then. */
  async drain(): Promise<void> {
    this.#file ??= await open(this.path, 'w');
    for (let written = 0; written < this.#length;) {
      const at = this.#fileBytes + written;
      written += (await this.#file.write(this.#buffer, written, this.#length - written, at)).bytesWritten;
    }
    this.#fileBytes += this.#length;
    this.#length = 0;
  }

  /**
   * Writes the rest and closes the file, which exists afterwards even when nothing was appended. Closing again changes nothing:
   * where the next file of a window found no room, all of them are closed once more, and opening this one would empty it.
   */
  async close(): Promise<void> {
    if (this.#closed) return;
    await this.drain();
    await this.#file?.close();
    this.#file = undefined;
    this.#closed = true;
    this.#buffer = Buffer.allocUnsafe(0);
  }

  /** Closes the file without writing the rest. */
  async abandon(): Promise<void> {
    await this.#file?.close();
    this.#file = undefined;
  }

  #makeRoom(bytes: number): void {
    if (this.#buffer.length >= this.#length + bytes) return;
    const grown = Buffer.allocUnsafe(Math.max(FIRST_BYTES, 2 * this.#buffer.length, this.#length + bytes));
    this.#buffer.copy(grown, 0, 0, this.#length);
    this.#buffer = grown;
  }
}

import { SpoolFile, MIN_WRITE_BYTES } from './spoolFile.ts';

const FIRST_BYTES = 1 << 20;

/**
 * A file written from front to back through a buffer.
 *
 * Appending never waits, and `drain` writes the buffer.
 */
export class Spool {
  readonly #file: SpoolFile;
  #buffer = Buffer.allocUnsafe(0);
  #length = 0;

  constructor(path: string) {
    this.#file = new SpoolFile(path);
  }

  get path(): string {
    return this.#file.path;
  }

  /** Whether enough is gathered for a write. */
  get full(): boolean {
    return this.#length >= MIN_WRITE_BYTES;
  }

  /** Appends a value as a line of JSON. Returns its length in bytes. */
  appendJson(value: unknown): number {
    const line = `${JSON.stringify(value)}\n`;
    this.#makeRoom(line.length * 3);
    const bytes = this.#buffer.write(line, this.#length, 'utf8');
    this.#length += bytes;
    return bytes;
  }

  /** Writes the buffer. A retry after a failure writes at the same place. */
  async drain(): Promise<void> {
    await this.#file.append([this.#buffer.subarray(0, this.#length)]);
    this.#length = 0;
  }

  /**
   * Writes the rest and closes the file, even if empty.
   *
   * A second call does nothing. If the disk is full at a window's next file, all files are closed again. Opening this
   * one again would empty it.
   */
  async close(): Promise<void> {
    if (this.#file.closed) return;
    await this.drain();
    await this.#file.close();
    this.#buffer = Buffer.allocUnsafe(0);
  }

  /** Closes the file without writing the rest. */
  abandon(): Promise<void> {
    return this.#file.abandon();
  }

  #makeRoom(bytes: number): void {
    if (this.#buffer.length >= this.#length + bytes) return;
    const grown = Buffer.allocUnsafe(Math.max(FIRST_BYTES, 2 * this.#buffer.length, this.#length + bytes));
    this.#buffer.copy(grown, 0, 0, this.#length);
    this.#buffer = grown;
  }
}

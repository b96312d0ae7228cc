import { SpoolFile, MIN_WRITE_BYTES } from './spoolFile.ts';

/** Small, so that a thousand groups with little each take little; kept from one window to the next. */
const CHUNK_BYTES = 32_768;
/** What is kept of them while nothing needs them: fresh memory costs a page fault for each four kilobytes. */
const SPARE_CHUNKS = 2_048;
/**
 * With more than one group, each write begins every group anew, and readers want a group's bytes in one place. So all spools
 * of this process together gather as much as this, then those with a good share of it are written.
 */
const MOST_GATHERED_BYTES = 128 << 20;
const SHARE_BYTES = 16 << 20;

const spareChunks: Buffer[] = [];
let gatheredBytes = 0;
let scratch = Buffer.allocUnsafeSlow(CHUNK_BYTES);

interface Group<Note> {
  /** All full but the last. */
  chunks: Buffer[];
  /** Bytes in the last chunk. */
  used: number;
  notes: Note[];
}

/**
 * A file of pieces that belong to numbered groups, which brings together what belongs together: whatever has gathered when
 * it is written goes group by group, each in the order of its pieces. Appending never waits, `drain` writes.
 */
export class GroupedSpool<Note> {
  readonly #file: SpoolFile;
  readonly #onWritten: (note: Note) => void;
  readonly #groups = new Map<number, Group<Note>>();
  #length = 0;

  /** @param onWritten told of each piece, by the note it came with, in the order of the file. */
  constructor(path: string, onWritten: (note: Note) => void) {
    this.#file = new SpoolFile(path);
    this.#onWritten = onWritten;
  }

  get path(): string {
    return this.#file.path;
  }

  /** Whether enough has gathered to be worth writing. */
  get full(): boolean {
    if (this.#groups.size <= 1) return this.#length >= MIN_WRITE_BYTES;
    return gatheredBytes >= MOST_GATHERED_BYTES && this.#length >= SHARE_BYTES;
  }

  /** Room to make a piece of at most so many bytes in; `append` takes it from there. */
  reserve(bytes: number): Buffer {
    if (scratch.length < bytes) scratch = Buffer.allocUnsafeSlow(Math.max(bytes, 2 * scratch.length));
    return scratch;
  }

  /** Takes a piece from the beginning of the reserved room up to a position. */
  append(group: number, end: number, note: Note): void {
    const to = this.#group(group);
    for (let at = 0; at < end;) {
      if (to.used === CHUNK_BYTES) {
        to.chunks.push(spareChunks.pop() ?? Buffer.allocUnsafeSlow(CHUNK_BYTES));
        to.used = 0;
      }
      const bytes = Math.min(end - at, CHUNK_BYTES - to.used);
      scratch.copy(to.chunks.at(-1)!, to.used, at, at + bytes);
      to.used += bytes;
      at += bytes;
    }
    to.notes.push(note);
    this.#length += end;
    gatheredBytes += end;
  }

  /** Writes what has gathered. May be tried again after a failure: it writes at the same place then. */
  async drain(): Promise<void> {
    const groups = [...this.#groups].sort(([a], [b]) => a - b).map(([, group]) => group);
    const chunks = groups.flatMap(({ chunks: own, used }) =>
      own.map((chunk, index) => (index === own.length - 1 ? chunk.subarray(0, used) : chunk)),
    );
    await this.#file.append(chunks);
    for (const { notes } of groups) for (const note of notes) this.#onWritten(note);
    this.#forget();
  }

  /** Writes the rest and closes the file, which exists afterwards even when nothing was appended; see Spool.close. */
  async close(): Promise<void> {
    if (this.#file.closed) return;
    await this.drain();
    await this.#file.close();
  }

  /** Closes the file without writing the rest. */
  abandon(): Promise<void> {
    this.#forget();
    return this.#file.abandon();
  }

  #group(number: number): Group<Note> {
    const known = this.#groups.get(number);
    if (known) return known;
    const group: Group<Note> = { chunks: [], used: CHUNK_BYTES, notes: [] };
    this.#groups.set(number, group);
    return group;
  }

  #forget(): void {
    for (const { chunks } of this.#groups.values()) {
      spareChunks.push(...chunks.slice(0, Math.max(0, SPARE_CHUNKS - spareChunks.length)));
    }
    this.#groups.clear();
    gatheredBytes -= this.#length;
    this.#length = 0;
  }
}

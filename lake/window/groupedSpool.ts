import { SpoolFile, MIN_WRITE_BYTES } from './spoolFile.ts';

/** Size of a chunk, small for windows of a thousand groups. */
const CHUNK_BYTES = 32_768;
/** Most unused chunks to keep. Fresh memory costs page faults: docs/performance.md, "Page faults". */
const SPARE_CHUNKS = 2_048;
/**
 * Bytes that all spools of this process gather before a write.
 *
 * Readers want a group's bytes in one place, and each write starts every group again. So only spools with a good share
 * of the total are written.
 */
const MOST_GATHERED_BYTES = 128 << 20;
const SHARE_BYTES = 16 << 20;

const spareChunks: Buffer[] = [];
let gatheredBytes = 0;
let scratch = Buffer.allocUnsafeSlow(CHUNK_BYTES);

interface Group<Note> {
  /** All full except the last. */
  chunks: Buffer[];
  /** Bytes in the last chunk. */
  used: number;
  notes: Note[];
}

/**
 * A file of pieces in numbered groups, which keeps groups together.
 *
 * Each write stores the gathered pieces group by group, each in the order of its pieces. Appending never waits, and
 * `drain` writes.
 */
export class GroupedSpool<Note> {
  readonly #file: SpoolFile;
  readonly #onWritten: (note: Note) => void;
  readonly #groups = new Map<number, Group<Note>>();
  #length = 0;

  /** @param onWritten called with each piece's note, in the order of the file */
  constructor(path: string, onWritten: (note: Note) => void) {
    this.#file = new SpoolFile(path);
    this.#onWritten = onWritten;
  }

  get path(): string {
    return this.#file.path;
  }

  /** Whether enough is gathered for a write. */
  get full(): boolean {
    if (this.#groups.size <= 1) return this.#length >= MIN_WRITE_BYTES;
    return gatheredBytes >= MOST_GATHERED_BYTES && this.#length >= SHARE_BYTES;
  }

  /** Reserves room for a piece; `append` takes the piece from there. */
  reserve(bytes: number): Buffer {
    if (scratch.length < bytes) scratch = Buffer.allocUnsafeSlow(Math.max(bytes, 2 * scratch.length));
    return scratch;
  }

  /** Adds a piece: the reserved room up to a position. */
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

  /** Writes the gathered pieces. A retry after a failure writes at the same place. */
  async drain(): Promise<void> {
    const groups = [...this.#groups].sort(([a], [b]) => a - b).map(([, group]) => group);
    const chunks = groups.flatMap(({ chunks: own, used }) =>
      own.map((chunk, index) => (index === own.length - 1 ? chunk.subarray(0, used) : chunk)),
    );
    await this.#file.append(chunks);
    for (const { notes } of groups) for (const note of notes) this.#onWritten(note);
    this.#forget();
  }

  /** Writes the rest and closes the file, even if empty; see Spool.close. */
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

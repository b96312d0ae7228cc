import { open, type FileHandle } from 'node:fs/promises';

/** Small, so that a thousand groups with little each take little; kept from one window to the next. */
const CHUNK_BYTES = 32_768;
/** What is kept of them while nothing needs them: fresh memory costs a page fault for each four kilobytes. */
const SPARE_CHUNKS = 2_048;
/** As long as there is one group, the file has the same order however often it is written. */
const DRAIN_BYTES = 1 << 20;
/**
 * With more of them each write begins every group anew, and readers want a group's bytes in one place. So all spools of this
 * process together gather as much as this, then those with a good share of it are written.
 */
const MOST_GATHERED_BYTES = 128 << 20;
const SHARE_BYTES = 16 << 20;
/** Chunks written by one system call. */
const CHUNKS_A_WRITE = 256;

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
  readonly path: string;
  readonly #onWritten: (note: Note) => void;
  readonly #groups = new Map<number, Group<Note>>();
  #file: FileHandle | undefined;
  #length = 0;
  #fileBytes = 0;
  #closed = false;

  /** @param onWritten told of each piece, by the note it came with, in the order of the file. */
  constructor(path: string, onWritten: (note: Note) => void) {
    this.path = path;
    this.#onWritten = onWritten;
  }

  /** Whether enough has gathered to be worth writing. */
  get full(): boolean {
    if (this.#groups.size <= 1) return this.#length >= DRAIN_BYTES;
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
    this.#file ??= await open(this.path, 'w');
    const groups = [...this.#groups].sort(([a], [b]) => a - b).map(([, group]) => group);
    const chunks = groups.flatMap(({ chunks: own, used }) =>
      own.map((chunk, index) => (index === own.length - 1 ? chunk.subarray(0, used) : chunk)),
    );
    await writeAll(this.#file, chunks, this.#fileBytes);
    this.#fileBytes += this.#length;
    for (const { notes } of groups) for (const note of notes) this.#onWritten(note);
    this.#forget();
  }

  /** Writes the rest and closes the file, which exists afterwards even when nothing was appended; see Spool.close. */
  async close(): Promise<void> {
    if (this.#closed) return;
    await this.drain();
    await this.#file?.close();
    this.#file = undefined;
    this.#closed = true;
  }

  /** Closes the file without writing the rest. */
  async abandon(): Promise<void> {
    this.#forget();
    await this.#file?.close();
    this.#file = undefined;
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

/** Writes buffers one after the other from a position on, however little of them the system takes at once. */
async function writeAll(file: FileHandle, buffers: readonly Buffer[], position: number): Promise<void> {
  for (let first = 0; first < buffers.length; first += CHUNKS_A_WRITE) {
    let rest = buffers.slice(first, first + CHUNKS_A_WRITE);
    while (rest.length > 0) {
      const { bytesWritten } = await file.writev(rest, position);
      position += bytesWritten;
      rest = behind(rest, bytesWritten);
    }
  }
}

/** What is left of buffers behind so many bytes. */
function behind(buffers: Buffer[], bytes: number): Buffer[] {
  let index = 0;
  for (; index < buffers.length && bytes >= buffers[index]!.length; index++) bytes -= buffers[index]!.length;
  const rest = buffers.slice(index);
  if (bytes > 0) rest[0] = rest[0]!.subarray(bytes);
  return rest;
}

/** One batch for the stream, with the callback of its outcome. */
export interface Entry {
  shard: number;
  subject: string;
  /** JSON of the BatchHeader (schemas/envelope.ts). */
  header: string;
  /** Event lines without their start `{"b":<batch>`. */
  lineEnds: readonly string[];
  /** Deadline of the acknowledgement, by the monotonic clock. */
  deadlineMs: number;
  /** Called once. */
  settle: (outcome: PublishOutcome) => void;
}

/** Position of a batch in the stream, or the reason why none is known. */
export type PublishOutcome = { epoch: number; sequence: number; batch: number } | Failure;

export interface Failure {
  failed: string;
}

/** Bytes of JSON and newlines around the batches: `{"batches":[` … `]}` and the header's end of line. */
const FRAME_BYTES = 15;

/** The part of an entry that is needed until the acknowledgement. */
type Waiter = Pick<Entry, 'deadlineMs' | 'settle'>;

/** An open stream message: the batches of one subject, in order of arrival. */
export class Message {
  readonly shard: number;
  readonly subject: string;
  /** Tenant whose share of the byte budget it takes. */
  readonly tenantId: string;
  /** Number of acknowledged messages of its shard from which it is published. */
  readonly dueAt: number;
  readonly waiters: Waiter[] = [];
  #headers: string[] = [];
  #lines: string[] = [];
  #bytes = 0;
  #events = 0;

  constructor(shard: number, subject: string, dueAt = 0) {
    this.shard = shard;
    this.subject = subject;
    this.tenantId = subject.split('.')[2] ?? '';
    this.dueAt = dueAt;
  }

  /** Exact size of the payload in bytes. */
  get bytes(): number {
    return FRAME_BYTES + this.#bytes;
  }

  /** Bytes of the batches alone: the sum of their `measure`. */
  get batchBytes(): number {
    return this.#bytes;
  }

  get events(): number {
    return this.#events;
  }

  /** Earliest deadline of its batches. */
  get deadlineMs(): number {
    return this.waiters[0]?.deadlineMs ?? Infinity;
  }

  /** Compute the lines and bytes of an entry as the next batch. */
  measure(entry: Entry): { lines: string; bytes: number } {
    const lines = eventLines(this.waiters.length, entry.lineEnds);
    const comma = this.waiters.length === 0 ? 0 : 1;
    return { lines, bytes: Buffer.byteLength(lines) + Buffer.byteLength(entry.header) + comma };
  }

  add({ header, lineEnds, deadlineMs, settle }: Entry, { lines, bytes }: { lines: string; bytes: number }): void {
    this.#headers.push(header);
    this.#lines.push(lines);
    this.#bytes += bytes;
    this.#events += lineEnds.length;
    this.waiters.push({ deadlineMs, settle });
  }

  /**
   * Write the payload once, and release its parts.
   * @throws Error if the measured size is wrong, because the rest of the buffer holds old memory
   */
  takePayload(): Buffer {
    // In pieces: a joined text would be copied twice more.
    const payload = Buffer.allocUnsafe(this.bytes);
    let at = payload.write(`{"batches":[${this.#headers.join(',')}]}\n`);
    for (const lines of this.#lines) at += payload.write(lines, at);
    if (at !== payload.length) throw new Error(`a message of ${payload.length} bytes was written as ${at}`);
    this.#headers = [];
    this.#lines = [];
    return payload;
  }
}

function eventLines(batch: number, lineEnds: readonly string[]): string {
  if (lineEnds.length === 0) return '';
  const start = `{"b":${batch}`;
  return start + lineEnds.join(start);
}

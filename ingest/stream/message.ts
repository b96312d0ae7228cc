/** One POST on its way into the stream, and how to tell its sender what became of it. */
export interface Entry {
  shard: number;
  subject: string;
  /** JSON of the BatchHeader (schemas/envelope.ts). */
  header: string;
  /** Ends of the event lines, each after `{"b":<batch>`. */
  lineEnds: readonly string[];
  /** When its sender is told that the write was not confirmed, by the monotonic clock. */
  deadlineMs: number;
  /** Called once. */
  settle: (outcome: PublishOutcome) => void;
}

/** Where a batch lies in the stream, or why that is not known. */
export type PublishOutcome = { epoch: number; sequence: number; batch: number } | Failure;

export interface Failure {
  failed: string;
}

/** Bytes of JSON and newlines around the batches: `{"batches":[` … `]}` and the header's end of line. */
const FRAME_BYTES = 15;

/** What is kept of an entry until its message is acknowledged. */
type Waiter = Pick<Entry, 'deadlineMs' | 'settle'>;

/** A stream message while it grows: the batches of one subject, in the order they came. */
export class Message {
  readonly shard: number;
  readonly subject: string;
  readonly waiters: Waiter[] = [];
  #headers: string[] = [];
  #lines: string[] = [];
  #bytes = 0;
  #events = 0;

  constructor(shard: number, subject: string) {
    this.shard = shard;
    this.subject = subject;
  }

  /** Payload size in bytes, exactly. */
  get bytes(): number {
    return FRAME_BYTES + this.#bytes;
  }

  /** The part of it that the batches brought: the sum of what `measure` said of them. */
  get batchBytes(): number {
    return this.#bytes;
  }

  get events(): number {
    return this.#events;
  }

  /** When the first of its senders is told that the write was not confirmed. */
  get deadlineMs(): number {
    return this.waiters[0]?.deadlineMs ?? Infinity;
  }

  /** The lines an entry would have as the next batch, and what they and its header weigh. */
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
   * Writes the message out, once, and lets go of its parts.
   * @throws Error when the size was measured wrongly, which would send what lay in memory before.
   */
  takePayload(): Buffer {
    // Written piece by piece: one large text of them would be copied twice more.
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

import { open, type FileHandle } from 'node:fs/promises';
import { formatReceipt } from '../../schemas/receipt.ts';
import type { Snapshot } from '../../lake/delta/snapshot.ts';
import {
  copyLines,
  MalformedMessageError,
  parseMessage,
  type ShardPlace,
  renumberedBytes,
  type StreamMessage,
} from '../../stream/message.ts';
import type { CommitCounts } from '../../lake/counts/commitCounts.ts';
import type { ShardStream, ShardStreams } from '../../stream/shardStreams.ts';
import type { StreamState } from '../../stream/streamState.ts';
import { utcDay } from '../../runtime/units.ts';

/** An inclusive range of UTC dates of receipt. */
export interface Days {
  from: string;
  to: string;
}

/**
 * First message from which the stream itself checks a table's commits.
 *
 * The commits' own counts stand for earlier messages. They also stand for folded commits, and for a commit that the stream
 * holds only in part.
 */
export function checkedFrom(accounts: readonly CommitCounts[], stream: StreamState): number {
  let from = stream.firstSequence;
  let before = 0;
  for (const { flush, folded } of accounts) {
    if (flush?.appId !== stream.appId) continue;
    // After a takeover, messages may be read twice. The first flush that reaches a message brings it.
    const first = Math.max(flush.firstSequence, before + 1);
    before = flush.lastSequence;
    if (folded || (first < from && from <= before)) from = Math.max(from, before + 1);
  }
  return from;
}

/** A table, and the range of messages that the stream checks. */
export interface CheckedTable {
  snapshot: Snapshot;
  from: number;
  /** Last sequence whose events the table must have; later ones are pending. */
  committed: number;
}

/** A line of the file of expected events. */
interface ExpectedBatch {
  r: string;
  day: string;
  /** Accepted and rejected events; the last two counts are the uncommitted ones. */
  accepted: number;
  refused: number;
  pending: number;
  refusedPending: number;
}

const WRITE_BYTES = 1_048_576;

/**
 * Write the expected counts of each batch, from the tenant's messages.
 *
 * A line says how many events the tables should have, and how many are pending.
 */
export async function writeExpected(
  file: string,
  { tenantId, days }: { tenantId: string; days: Days },
  source: {
    streams: ShardStreams;
    stream: StreamState;
    place: ShardStream;
    events: CheckedTable;
    quarantine: CheckedTable;
  },
): Promise<void> {
  const { streams, stream, place, events, quarantine } = source;
  const lines = await LineWriter.open(file);
  try {
    const range = { tenantId, from: Math.min(events.from, quarantine.from), to: stream.lastSequence };
    for await (const message of streams.messages(place, range)) {
      for (const { batch, day, accepted, refused } of countBatches(message, place)) {
        if (day < days.from || day > days.to) continue;
        const { sequence } = message;
        const counted: ExpectedBatch = {
          r: formatReceipt({ epoch: stream.epoch, shard: place.shard, sequence, batch }),
          day,
          accepted: sequence >= events.from ? accepted : 0,
          refused: sequence >= quarantine.from ? refused : 0,
          pending: sequence > events.committed ? accepted : 0,
          refusedPending: sequence > quarantine.committed ? refused : 0,
        };
        await lines.write(counted);
      }
    }
  } finally {
    await lines.close();
  }
}

interface Counted {
  batch: number;
  day: string;
  accepted: number;
  refused: number;
}

/**
 * Count the batches of a message. Pure.
 *
 * A malformed message goes to the quarantine as one row.
 */
function countBatches(message: StreamMessage, place: ShardPlace): Counted[] {
  try {
    const parsed = parseMessage(message, place);
    copyLines(message, parsed, 0, Buffer.allocUnsafe(renumberedBytes(message.data.length)));
    return parsed.batches.map(({ receivedAt, accepted, rejected }, batch) => ({
      batch,
      day: utcDay(Date.parse(receivedAt)),
      accepted,
      refused: rejected?.length ?? 0,
    }));
  } catch (error) {
    if (!(error instanceof MalformedMessageError)) throw error;
    return [{ batch: 0, day: utcDay(message.timeMs), accepted: 0, refused: 1 }];
  }
}

/** Writer of JSON lines to a file, in large pieces. */
export class LineWriter {
  readonly #file: FileHandle;
  #text = '';

  private constructor(file: FileHandle) {
    this.#file = file;
  }

  static async open(path: string): Promise<LineWriter> {
    return new LineWriter(await open(path, 'wx'));
  }

  async write(value: unknown): Promise<void> {
    this.#text += `${JSON.stringify(value)}\n`;
    if (this.#text.length >= WRITE_BYTES) await this.#flush();
  }

  async close(): Promise<void> {
    await this.#flush();
    await this.#file.close();
  }

  async #flush(): Promise<void> {
    await this.#file.appendFile(this.#text);
    this.#text = '';
  }
}

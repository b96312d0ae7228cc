import type { AddFile } from '../../lake/delta/actions.ts';
import { parseFileName } from '../../lake/layout/tables.ts';
import type { StreamState } from '../../stream/streamState.ts';
import { LIMITS } from '../../schemas/limits.ts';
import { DAY_MS, utcDay } from '../../runtime/units.ts';

type HeldMessages = Pick<StreamState, 'name' | 'created' | 'epoch' | 'firstSequence' | 'firstMs'>;

export interface RangeRequest {
  /** First date to rebuild. */
  from: string;
  /** Live data files of the dates in both tables. */
  files: readonly AddFile[];
  /** Range of the stream's messages. */
  held: HeldMessages;
  /** First sequence since `earliestMs(from)`. */
  sinceSequence: number;
}

/** The stream no longer has the messages; the error names its range. */
export class NotHeldError extends Error {
  override name = 'NotHeldError';
}

/** Largest difference between the clocks of receivers and stream server. */
const CLOCKS_MS = 3_600_000;

/** Earliest time of a message that may hold events of a date. */
export function earliestMs(from: string): number {
  return Date.parse(`${from}T00:00:00Z`) - LIMITS.futureSeconds * 1000 - CLOCKS_MS;
}

/**
 * Plan the first sequence to read for all events of the dates.
 * @throws NotHeldError if some may no longer be in the stream
 */
export function firstSequenceNeeded({ from, files, held, sinceSequence }: RangeRequest): number {
  const refuse = (why: string): NotHeldError =>
    new NotHeldError(`the stream does not hold the whole range: ${why}; ${holdings(held)}`);
  let first = Math.max(sinceSequence, held.firstSequence);
  for (const file of files) {
    const { date } = file.partitionValues;
    const source = parseFileName(file.path);
    if (!isOf(file, held) || source?.stream !== held.name) {
      throw refuse(`${date} has rows that are not from this stream, which was created ${held.created}`);
    }
    if (source.firstSequence < held.firstSequence) {
      throw refuse(`${date} needs messages from sequence ${source.firstSequence} on`);
    }
    first = Math.min(first, source.firstSequence);
  }
  const trimmed = held.firstSequence > 1;
  if (trimmed && (held.firstMs ?? Infinity) > earliestMs(from) + CLOCKS_MS) throw refuse(`${from} began before that`);
  return first;
}

function holdings({ name, firstSequence, firstMs }: HeldMessages): string {
  if (firstMs === undefined) return `${name} holds no messages, the next one is ${firstSequence}`;
  const firstWhole = utcDay(Math.ceil((firstMs + CLOCKS_MS) / DAY_MS) * DAY_MS);
  return (
    `${name} holds messages from sequence ${firstSequence} of ${new Date(firstMs).toISOString()} on. ` +
    `Dates from ${firstWhole} on are held whole, unless their rows came late or the stream was created again since`
  );
}

/** Test for rows of messages before a sequence, or of an earlier stream. */
export function mayHoldBefore(file: AddFile, held: Pick<HeldMessages, 'epoch'>, sequence: number): boolean {
  const source = parseFileName(file.path);
  return !source || source.firstSequence < sequence || !isOf(file, held);
}

/** Test by the log's bounds that all receipts are of this stream. */
function isOf({ stats }: AddFile, { epoch }: Pick<HeldMessages, 'epoch'>): boolean {
  const { minValues, maxValues } = (stats === undefined ? {} : JSON.parse(stats)) as {
    minValues?: Record<string, unknown>;
    maxValues?: Record<string, unknown>;
  };
  const prefix = `${epoch.toString(36)}-`;
  return [minValues, maxValues].every((bounds) => {
    const receipt = bounds?.receipt_id;
    return typeof receipt === 'string' && receipt.startsWith(prefix);
  });
}

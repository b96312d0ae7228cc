/*
 * A stream's incarnation is its name, its creation time and its history: the messages it has acknowledged, by sequence and
 * store time. A store that was restored from a backup keeps name and creation time, and lacks the end of the history. Its
 * next messages take sequences that were used before, which tables and processors would skip. So a stream that lacks a known
 * message is set back: nobody reads or writes it until "spor stream carry-over" has moved what it holds to a new incarnation.
 */
import { CodedError } from '../schemas/codedError.ts';
import { delay } from '../runtime/retry.ts';
import type { StreamState } from './streamState.ts';
import type { KnownMessage, SetBack } from './streamsRecord.ts';

/** The stream lacks messages that it acknowledged. Waiting does not help. */
export class StreamSetBackError extends CodedError<'stream_set_back'> {
  /** Last sequence of the stream: at most so many of its messages are not committed. */
  readonly lastSequence: number;

  constructor(name: string, setBack: Pick<SetBack, 'known' | 'lastSequence'>) {
    super('stream_set_back', describeSetBack(name, setBack));
    this.lastSequence = setBack.lastSequence;
  }
}

/** Says what happened to a stream, and what to do. */
export function describeSetBack(
  name: string,
  { known, lastSequence }: Pick<SetBack, 'known' | 'lastSequence'>,
): string {
  const at = known.timeMs === undefined ? '' : ` of ${new Date(known.timeMs).toISOString()}`;
  return (
    `stream_set_back: ${name} lacks its message ${known.sequence}${at} and ends at ${lastSequence}, so its store was set ` +
    'back. Nothing is read or written until "npx spor stream carry-over" has moved what it holds to a new stream. Do not delete it'
  );
}

/**
 * Whether a stream's state contradicts a known message. Pure.
 *
 * The same last sequence with a later time is another message. An earlier time is not: the last message may have been
 * removed.
 */
export function contradicts(known: KnownMessage, { lastSequence, lastMs }: StreamState): boolean {
  if (lastSequence !== known.sequence) return lastSequence < known.sequence;
  return known.timeMs !== undefined && lastMs !== undefined && lastMs > known.timeMs;
}

/** The later of two known messages of one stream. */
export function newest(one: KnownMessage | undefined, other: KnownMessage): KnownMessage {
  return one && one.sequence >= other.sequence ? one : other;
}

const LOOKS = 4;
const LOOK_AGAIN_MS = 500;

/**
 * Makes sure that a stream is set back, for about two seconds.
 *
 * After an election the new leader may still apply its log, and a leader that was cut off may answer for some seconds. So
 * each look must say the same, and the last one comes after a write, which only a majority can do.
 * @param look the fault, if there is one now
 * @param write a write that needs the majority
 */
export async function confirmSetBack(
  look: () => Promise<SetBack | undefined>,
  write: () => Promise<unknown>,
): Promise<SetBack | undefined> {
  for (let looks = 0; looks < LOOKS; looks++) {
    if (!(await look())) return undefined;
    await delay(LOOK_AGAIN_MS);
  }
  await write();
  return look();
}

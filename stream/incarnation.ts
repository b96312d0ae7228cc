/*
 * A stream's incarnation is its name, its creation time and its history: the messages it has acknowledged, by sequence and
 * store time. A store that was restored from a backup keeps name and creation time, and lacks the end of the history. Its
 * next messages take sequences that were used before, which tables and processors would skip. So a stream that lacks a known
 * message is set back: nobody reads or writes it until "spor stream carry-over" has moved what it holds to a new incarnation.
 */
import { CodedError } from '../schemas/codedError.ts';
import { delay } from '../runtime/retry.ts';
import { StreamUnavailableError } from './errors.ts';
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

const NO_LEADER = 'The stream has no leader that stays.';

/** What one look at a stream saw: the fault, and the leader that answered (`leaderTerm`). */
export interface SetBackLook {
  setBack: SetBack;
  leader: string | undefined;
}

/** Looks in a row that must agree, of a stream on one server and of one with replicas. */
const LOOKS = { alone: 4, replicated: 20 };
const MOST_LOOKS = 120;
const LOOK_AGAIN_MS = 500;

/**
 * Makes sure that a stream is set back, for about two seconds, with replicas for ten.
 *
 * After an election the new leader may still apply its log, and a leader that was cut off may answer for some seconds. So
 * each look must say the same, by the same leader in the same term. The last one comes after a write, which only a
 * majority can do.
 * @param look the fault, if there is one now
 * @param write a write that needs the majority
 * @returns undefined if the fault is gone
 * @throws StreamUnavailableError if no leader stays; errors of `look`
 */
export async function confirmSetBack(
  look: () => Promise<SetBackLook | undefined>,
  write: () => Promise<unknown>,
  pauseMs = LOOK_AGAIN_MS,
): Promise<SetBack | undefined> {
  let leader: string | undefined;
  for (let looks = 0, agreed = 0; agreed < (leader === undefined ? LOOKS.alone : LOOKS.replicated); looks++) {
    if (looks === MOST_LOOKS) throw new StreamUnavailableError(NO_LEADER);
    const seen = await look();
    if (!seen) return undefined;
    agreed = seen.leader === leader ? agreed + 1 : 1;
    leader = seen.leader;
    await delay(pauseMs);
  }
  await write();
  const last = await look();
  if (last && last.leader !== leader) throw new StreamUnavailableError(NO_LEADER);
  return last?.setBack;
}

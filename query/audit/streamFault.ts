import { contradicts, describeSetBack } from '../../stream/incarnation.ts';
import type { ShardStreams } from '../../stream/shardStreams.ts';
import type { StreamState } from '../../stream/streamState.ts';
import { mayBeMissing, type KnownMessage, type Loss } from '../../stream/streamsRecord.ts';

/** Why nobody can say that all acknowledged events are in the lake. */
export interface StreamFault {
  /**
   * `stream_set_back`: a command must move what the stream holds. `stream_gone`: messages are lost. `stream_restarted`: whether
   * its store is whole is known within seconds.
   */
  code: 'stream_set_back' | 'stream_gone' | 'stream_restarted';
  message: string;
}

/**
 * Finds out whether acknowledged messages of a shard are missing.
 * @param state of the stream, read after the table
 * @param position the newest message that the table has of this stream
 */
export async function findStreamFault(
  streams: ShardStreams,
  shard: number,
  state: StreamState,
  position: KnownMessage,
): Promise<StreamFault | undefined> {
  const record = await streams.record();
  const noted = record?.setBack[shard];
  if (noted) return setBackFault(state.name, noted);
  if (await lacks(streams, shard, state, position)) {
    return setBackFault(state.name, { known: position, lastSequence: state.lastSequence });
  }
  const newest = streams.memory.newest(state);
  if (newest && (await lacks(streams, shard, state, newest)) && streams.memory.doubts(state))
    return setBackFault(state.name, { known: newest, lastSequence: state.lastSequence });
  streams.memory.saw(state);
  const lost = record?.lost.find((loss) => loss.stream === state.name && mayBeMissing(loss));
  return lost && { code: 'stream_gone', message: describeLoss(lost) };
}

/** The fault of a stream server that has just started; undefined if it is trusted (ServerAge). */
export function restartFault(untrustedForMs: number): StreamFault | undefined {
  if (untrustedForMs === 0) return undefined;
  const seconds = Math.ceil(untrustedForMs / 1_000);
  const message = `stream_restarted: the stream server has just started, so its store may be an older one. Ask again in ${seconds} s`;
  return { code: 'stream_restarted', message };
}

function setBackFault(name: string, setBack: Parameters<typeof describeSetBack>[1]): StreamFault {
  return { code: 'stream_set_back', message: describeSetBack(name, setBack) };
}

async function lacks(
  streams: ShardStreams,
  shard: number,
  state: StreamState,
  position: KnownMessage,
): Promise<boolean> {
  const { sequence, timeMs } = position;
  if (sequence === 0) return false;
  if (contradicts(position, state)) return true;
  if (timeMs === undefined || sequence < state.firstSequence) return false;
  const held = await streams.message({ shard, sequence });
  return held !== undefined && held.timeMs !== timeMs;
}

function describeLoss({ stream, after = 0, last, at }: Loss): string {
  const range = last === undefined ? `from ${after + 1} on` : `${after + 1} to ${last}`;
  return (
    `stream_gone: messages ${range} of ${stream} left it before they were in the lake, noticed at ${at}. ` +
    'Once their senders have sent again what they have, "npx spor stream accept-loss" ends this notice'
  );
}

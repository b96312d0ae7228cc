import type { StreamInfo } from '@nats-io/jetstream';
import { MOST_CLOCK_DIFFERENCE_MS } from '../../lake/storage/agreedTime.ts';
import type { Logger } from '../../runtime/log.ts';
import { delay } from '../../runtime/retry.ts';
import type { Intents } from '../commit/intents.ts';
import { replicasBehind } from '../../stream/quorum.ts';
import { streamStateOf, type StreamState } from '../../stream/streamState.ts';
import { trim } from '../../stream/trim.ts';
import type { ShardContext } from './context.ts';
import type { Place } from './heldMessages.ts';
import type { Uncommitted } from './commitQueue.ts';
import type { OwnedStream } from './ownedStream.ts';
import { StreamSetBackError } from '../../stream/incarnation.ts';
import { StreamChangedError } from './ownerSteps.ts';

const EVERY_MS = 1_000;
const LEFT_EVERY_MS = 30_000;

export interface ShardMaintenanceOptions {
  shard: number;
  stream: OwnedStream;
  intents: Intents;
  /** Committed position, with the store time of its message if that is known. */
  floor: () => Place;
  /** Messages read and not committed, without those of parked tenants. */
  uncommitted: () => Uncommitted;
  /** Called while uncommitted messages take much of the stream's size. */
  onStreamFills: () => void;
  log: Logger;
  signal: AbortSignal;
  /** Called when the stream was recreated, deleted or set back. */
  onChanged: (error: StreamChangedError | StreamSetBackError) => void;
}

/**
 * Watches a shard beside its flushes, until the signal.
 *
 * The watch covers the stream's identity, size and lag. Uploads of earlier owners are cleaned up again, because a
 * suspended owner may still upload.
 */
export async function maintainShard(context: ShardContext, options: ShardMaintenanceOptions): Promise<void> {
  const { signal, log, onChanged } = options;
  let leftAt = performance.now();
  /** When last nothing was pending, by this process's steady clock. */
  let restedAtMs = -Infinity;
  while (!signal.aborted) {
    try {
      if ((await lookAfterStream(context, { ...options, restedAtMs })) === 0) restedAtMs = performance.now();
      if (performance.now() - leftAt > LEFT_EVERY_MS) {
        leftAt = performance.now();
        await context.lake.storage.delete(pathsLeft(options.intents));
      }
    } catch (error) {
      if (error instanceof StreamChangedError || error instanceof StreamSetBackError) return onChanged(error);
      log.warn({ err: error }, 'stream maintenance failed, trying again');
    }
    await delay(EVERY_MS, signal);
  }
}

/** @returns the number of uncommitted messages */
async function lookAfterStream(
  { metrics, stream: { manager }, settings }: ShardContext,
  options: ShardMaintenanceOptions & { restedAtMs: number },
): Promise<number> {
  const { stream, log, restedAtMs } = options;
  const labels = { shard: String(options.shard) };
  const info = await stream.now();
  await stream.mustNotBeNoted();
  const [floor, { read, messages, oldest, ageMs }] = [options.floor(), options.uncommitted()];
  const lag = Math.max(0, info.state.last_seq - read.sequence) + messages;
  metrics.lag.set(labels, lag);
  metrics.streamBytes.set(labels, info.state.bytes);
  if (info.config.max_bytes > 0) metrics.streamMaxBytes.set(labels, info.config.max_bytes);
  metrics.replicasBehind.set(labels, replicasBehind(info));
  const state = streamStateOf(info);
  const { atMs } = state;
  const waitedSeconds = oldest
    ? Math.max(0, atMs - oldest.storedMs || 0) / 1_000
    : pendingSeconds(state, read, performance.now() - restedAtMs);
  metrics.commitAge.set(labels, ageMs / 1_000);
  metrics.uncommitted.set(labels, waitedSeconds);
  metrics.pending.set(labels, Math.max(0, waitedSeconds - ageMs / 1_000));
  if (holdsMuch(info, oldest?.before.sequence ?? read.sequence)) options.onStreamFills();
  const aheadMs = Number.isNaN(atMs) ? 0 : Date.now() - atMs;
  metrics.clockAhead.set(labels, aheadMs / 1_000);
  // By two clocks that agree; else only a full stream is trimmed, because a replay needs what it keeps.
  const now = Math.abs(aheadMs) <= MOST_CLOCK_DIFFERENCE_MS ? Date.now() - Math.max(0, aheadMs) : 0;
  const first = await trim(manager, info, { floor: floor.sequence, keepMs: settings.streamKeepMs, now });
  if (first !== undefined) log.info({ firstSequence: first }, 'dropped committed messages from the stream');
  metrics.firstSequence.set(labels, first ?? info.state.first_seq);
  return lag;
}

/** Share of a stream's size that uncommitted messages may take before they are committed early. */
const MOST_HELD_SHARE = 0.3;

/** Whether the messages after a position take much of the stream's size. Pure. */
export function holdsMuch({ config, state }: Pick<StreamInfo, 'config' | 'state'>, position: number): boolean {
  if (config.max_bytes <= 0 || state.messages === 0) return false;
  const share = Math.min(1, (state.last_seq - position) / state.messages);
  return share * state.bytes > MOST_HELD_SHARE * config.max_bytes;
}

/**
 * For how long at most the oldest uncommitted message has waited, by the stream's clock, in seconds.
 *
 * It is not older than the last committed message, and it came after the last moment without any.
 */
export function pendingSeconds(
  {
    firstSequence,
    lastSequence,
    firstMs,
    atMs,
  }: Pick<StreamState, 'firstSequence' | 'lastSequence' | 'firstMs' | 'atMs'>,
  { sequence, timeMs }: { sequence: number; timeMs: number | undefined },
  sinceRestMs: number,
): number {
  if (lastSequence <= sequence) return 0;
  const oldestMs = sequence < firstSequence ? firstMs : (timeMs ?? firstMs);
  const ageMs = oldestMs === undefined || Number.isNaN(atMs) ? 0 : Math.max(0, atMs - oldestMs);
  return Math.min(ageMs, sinceRestMs) / 1_000;
}

function pathsLeft({ left }: Intents): string[] {
  return left.flatMap(({ files, recoveredMs }) =>
    // Files that may still be committed are not deleted.
    recoveredMs === undefined
      ? []
      : Object.entries(files).flatMap(([root, paths]) => paths.map((path) => `${root}/${path}`)),
  );
}

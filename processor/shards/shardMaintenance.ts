import { MOST_CLOCK_DIFFERENCE_MS } from '../../lake/storage/agreedTime.ts';
import type { Logger } from '../../runtime/log.ts';
import { delay } from '../../runtime/retry.ts';
import type { Intents } from '../commit/intents.ts';
import { streamStateOf } from '../../stream/streamState.ts';
import { trim } from '../../stream/trim.ts';
import type { ShardContext } from './context.ts';
import type { OwnedStream } from './ownedStream.ts';
import { StreamSetBackError } from '../../stream/incarnation.ts';
import { StreamChangedError } from './ownerSteps.ts';

const EVERY_MS = 1_000;
const LEFT_EVERY_MS = 30_000;

export interface ShardMaintenanceOptions {
  shard: number;
  stream: OwnedStream;
  intents: Intents;
  floor: () => number;
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
  while (!signal.aborted) {
    try {
      await lookAfterStream(context, options);
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

async function lookAfterStream(
  { metrics, stream: { manager }, settings }: ShardContext,
  options: ShardMaintenanceOptions,
): Promise<void> {
  const { stream, floor, log } = options;
  const labels = { shard: String(options.shard) };
  const info = await stream.now();
  await stream.mustNotBeNoted();
  metrics.lag.set(labels, Math.max(0, info.state.last_seq - floor()));
  metrics.streamBytes.set(labels, info.state.bytes);
  const { atMs } = streamStateOf(info);
  const aheadMs = Number.isNaN(atMs) ? 0 : Date.now() - atMs;
  metrics.clockAhead.set(labels, aheadMs / 1_000);
  // By two clocks that agree; else only a full stream is trimmed, because a replay needs what it keeps.
  const now = Math.abs(aheadMs) <= MOST_CLOCK_DIFFERENCE_MS ? Date.now() - Math.max(0, aheadMs) : 0;
  const first = await trim(manager, info, { floor: floor(), keepMs: settings.streamKeepMs, now });
  if (first !== undefined) log.info({ firstSequence: first }, 'dropped committed messages from the stream');
  metrics.firstSequence.set(labels, first ?? info.state.first_seq);
}

function pathsLeft({ left }: Intents): string[] {
  return left.flatMap(({ files }) =>
    Object.entries(files).flatMap(([root, paths]) => paths.map((path) => `${root}/${path}`)),
  );
}

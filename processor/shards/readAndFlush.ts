import type { Window } from '../../lake/window/window.ts';
import { sourceOf } from '../../stream/message.ts';
import type { MessageReader } from '../../stream/reader.ts';
import { FlushPipeline } from './flushPipeline.ts';
import type { Flusher } from './flusher.ts';
import type { CommitQueue } from './commitQueue.ts';
import type { OwnerSteps } from './ownerSteps.ts';

/**
 * Least size of a window flushed on age during a backlog.
 *
 * The limit is 1 MiB for each (tenant, segment), if that is more. Each file has a fixed cost, so fewer
 * windows end a backlog sooner: docs/performance.md, "Backlog".
 */
const MIN_WINDOW_BYTES = 16 * 1_048_576;
const MIN_BYTES_PER_SOURCE = 1_048_576;
const LOOK_AGAIN_MS = 20;

export interface ReadAndFlushOptions {
  flusher: Flusher;
  steps: OwnerSteps;
  /** Reads the positions of a tenant's tables, if they are not known. */
  openTables: (tenantId: string) => Promise<unknown> | undefined;
  /** Whether to commit all that waits, because the stream fills up; true once. */
  mustHurry: () => boolean;
  /** Whether to commit at once whatever comes, because the shards are about to grow. */
  isGrowing: () => boolean;
  /** Called after each look at what has come. */
  onLook: () => void;
  halted: AbortSignal;
}

/**
 * Reads a shard's messages and flushes those that are due, until the reader is closed.
 *
 * Then everything read is flushed, unless halted.
 * @throws the reason of `halted`; the failure of a window
 */
export async function readAndFlush(
  reader: MessageReader,
  queue: CommitQueue,
  { flusher, steps, openTables, mustHurry, isGrowing, onLook, halted }: ReadAndFlushOptions,
): Promise<void> {
  const line = new FlushPipeline({ flusher, onTurn: () => reader.nudge() });
  const isCatchingUp = ({ window } = queue): boolean =>
    window.bytes < minWindowBytes(window) && reader.waiting > window.messages;
  const isDue = ({ window } = queue): boolean =>
    window.full ||
    (line.ready && !window.empty && isGrowing()) ||
    (line.ready && window.leftMs() === 0 && !isCatchingUp());
  const dueInMs = (): number | undefined => {
    const leftMs = line.ready ? queue.leftMs() : undefined;
    return leftMs === undefined ? undefined : Math.max(leftMs, isCatchingUp() ? LOOK_AGAIN_MS : 0);
  };
  const flushDue = async (): Promise<void> => {
    if (line.ready) {
      if (mustHurry() || isGrowing()) queue.joinEverything();
      else queue.joinDue();
    }
    if (queue.window.spooled) await steps.retryWhileOwned('spooling', () => queue.window.drain());
    if (isDue()) await line.push(queue.handOver());
  };
  try {
    while (!reader.closed) {
      line.check();
      await reader.arrived(dueInMs());
      for (let message = reader.shift(); message; message = reader.shift()) {
        await openTables(sourceOf(message).tenantId);
        queue.add(message);
        await flushDue();
      }
      await flushDue();
      onLook();
    }
    if (halted.aborted) throw halted.reason;
    queue.joinEverything();
    if (!queue.window.empty) await line.push(queue.handOver());
    await line.end();
    line.check();
  } finally {
    await line.end();
    await queue.window.discard();
  }
}

function minWindowBytes({ sources }: Window): number {
  return Math.max(MIN_WINDOW_BYTES, sources * MIN_BYTES_PER_SOURCE);
}

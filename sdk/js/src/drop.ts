import type { DropNotice, DropReason, TrackerStats } from './api.ts';
import type { Emitter } from './emitter.ts';
import type { Queued } from './queue.ts';

/** Count and report a dropped event, from the queue or from before it. */
export type Drop = (
  reason: DropReason,
  event: Queued | object,
  detail?: Pick<DropNotice, 'code' | 'message' | 'path'>,
) => void;

export function createDrop(emit: Emitter['emit'], counts: TrackerStats['dropped']): Drop {
  return (reason, event, detail) => {
    counts[reason] = (counts[reason] ?? 0) + 1;
    const { line } = event as Partial<Queued>;
    emit('drop', { ...detail, reason, event: (line ? JSON.parse(line) : event) as Record<string, unknown> });
  };
}

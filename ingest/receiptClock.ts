import type { PresentTimes } from '../stream/comparedClock.ts';

/**
 * The time of a receipt: of two clocks that differ, the one closer to the sender's. Pure.
 *
 * So two wrong clocks are needed for a wrong time, and no event is dated or rejected by one clock alone.
 */
export function receiptTime([host, stream]: PresentTimes, sentMs: number | undefined): number {
  if (stream === undefined) return host;
  if (sentMs === undefined || Number.isNaN(sentMs)) return stream;
  return Math.abs(host - sentMs) <= Math.abs(stream - sentMs) ? host : stream;
}

/** When a batch was sent, by its sender's clock: as it says, or as its newest event does. Pure. */
export function sentTime(sentAt: string | undefined, events: readonly unknown[]): number | undefined {
  if (sentAt !== undefined) return Date.parse(sentAt);
  const times = events
    .map((event) => Date.parse(String((event as { timestamp?: unknown } | null)?.timestamp)))
    .filter((ms) => !Number.isNaN(ms));
  return times.length === 0 ? undefined : times.reduce((latest, ms) => Math.max(latest, ms));
}

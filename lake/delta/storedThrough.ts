import type { AddFile } from './actions.ts';

/** Tag of the time by which the stream had stored all rows of a file, in milliseconds since 1970. */
export const STORED_THROUGH_TAG = 'spor.storedThrough';

/**
 * Time by which the stream had stored all rows of a file, in milliseconds since 1970; Infinity if unknown.
 * Files of earlier versions have no tag: then the commit or the last receipt counts, whichever is later.
 */
export function storedThroughMs({ tags, stats, modificationTime }: Partial<AddFile>): number {
  const tagged = Number(tags?.[STORED_THROUGH_TAG] ?? NaN);
  if (!Number.isNaN(tagged)) return tagged;
  const { maxValues } = (stats === undefined ? {} : JSON.parse(stats)) as { maxValues?: { received_at?: unknown } };
  const received = typeof maxValues?.received_at === 'string' ? Date.parse(maxValues.received_at) : NaN;
  const latest = Math.max(modificationTime ?? Infinity, received);
  return Number.isNaN(latest) ? Infinity : latest;
}

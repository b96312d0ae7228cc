import { toJson } from './json.ts';
import type { Queued } from './queue.ts';

/** Upper bound of a body's bytes around its events. */
const ENVELOPE_BYTES = 160;

/**
 * Choose the events of the next request.
 *
 * These are the oldest of one key that are not in flight, at most `maxEvents`, in a body of at most `maxBytes`. A larger event
 * goes alone, unless `strict`.
 */
export function nextBatch(items: readonly Queued[], maxEvents: number, maxBytes: number, strict?: boolean): Queued[] {
  const batch: Queued[] = [];
  let bytes = ENVELOPE_BYTES;
  for (const item of items) {
    if (item.busy || item.key !== (batch[0] ?? item).key) continue;
    bytes += item.bytes + 1;
    if (batch.length >= maxEvents || (bytes > maxBytes && (strict || batch[0]))) break;
    batch.push(item);
  }
  return batch;
}

/** The body of a request, from events in JSON. */
export function bodyOf(batch: readonly Queued[], time: number): string {
  return `{"instrumentationKey":${toJson(batch[0]!.key)},"sentAt":"${new Date(time).toISOString()}","events":[${batch.map((item) => item.line).join()}]}`;
}

import { LIMITS } from '../../schemas/limits.ts';

/** An event with the kind of its line. */
export interface KindOfEvent {
  kind: string;
  event?: Record<string, unknown>;
}

export interface SentCounts {
  /** Lines by kind: all of them, and those that were sent and accepted. */
  kinds: Record<string, { lines: number; sent: number; accepted: number }>;
  /** Rejected events by code, with the first message of each. */
  rejected: Record<string, { events: number; message: string }>;
}

interface Receipt {
  rejected?: { index: number; code: string; message: string }[];
  code?: string;
}

const DAY_MS = 86_400_000;
/** Days that a file of a longer time is squeezed into; older events are rejected. */
const MOST_DAYS = 28;
const AGE_MS = 60_000;
const BATCH_EVENTS = 500;

/**
 * Sends events to a receiver, with times of the last weeks.
 * @throws Error if an answer is no receipt
 */
export async function sendEvents(
  lines: readonly KindOfEvent[],
  { url, key, nowMs }: { url: string; key: string; nowMs: number },
): Promise<SentCounts> {
  const counts: SentCounts = { kinds: {}, rejected: {} };
  const kindOf = (kind: string): SentCounts['kinds'][string] =>
    (counts.kinds[kind] ??= { lines: 0, sent: 0, accepted: 0 });
  for (const { kind } of lines) kindOf(kind).lines++;
  for (const batch of batches(recent(lines, nowMs))) {
    const response = await fetch(new URL('/api/events', url), {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-instrumentation-key': key },
      body: JSON.stringify({ events: batch.map(({ event }) => event) }),
    });
    const { code, rejected = [] } = (await response.json()) as Receipt;
    if (![202, 400].includes(response.status)) throw new Error(`the receiver answered ${response.status}: ${code}`);
    const refused = new Set(rejected.map(({ index }) => index));
    for (const [index, { kind }] of batch.entries()) {
      kindOf(kind).sent++;
      if (!refused.has(index)) kindOf(kind).accepted++;
    }
    for (const { code: why, message } of rejected) (counts.rejected[why] ??= { events: 0, message }).events++;
  }
  return counts;
}

/** Events within the limits of a body. */
function* batches(lines: readonly Required<KindOfEvent>[]): Generator<Required<KindOfEvent>[]> {
  let batch: Required<KindOfEvent>[] = [];
  let bytes = 0;
  for (const line of lines) {
    const own = Buffer.byteLength(JSON.stringify(line.event)) + 1;
    if (batch.length === BATCH_EVENTS || (batch.length > 0 && bytes + own > LIMITS.bodyBytes / 2)) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(line);
    bytes += own;
  }
  if (batch.length > 0) yield batch;
}

/** The lines with an event, the last one a minute old, in the order and the proportions of their times. */
function recent(lines: readonly KindOfEvent[], nowMs: number): Required<KindOfEvent>[] {
  const sent = lines.filter((line): line is Required<KindOfEvent> => line.event !== undefined);
  const times = sent.map(({ event }) => Date.parse(String(event.timestamp)));
  const last = times.reduce((a, b) => Math.max(a, b), -Infinity);
  const first = times.reduce((a, b) => Math.min(a, b), Infinity);
  const scale = Math.min(1, (MOST_DAYS * DAY_MS) / Math.max(1, last - first));
  return sent.map(({ kind, event }, index) => ({
    kind,
    event: { ...event, timestamp: new Date(nowMs - AGE_MS - (last - times[index]!) * scale).toISOString() },
  }));
}

import { readMessageHeader, type BatchHeader } from '../../schemas/envelope.ts';
import type { Receipt } from '../../schemas/receipt.ts';
import { MalformedMessageError, parseMessage, type ShardPlace, type StreamMessage } from '../../stream/message.ts';

/** A batch of a message in the stream. */
export interface HeldBatch {
  segmentId: string;
  header: BatchHeader;
  events: { index: number; eventId: string; type: string }[];
}

/** The tenant's batch in its message; undefined if absent or another tenant's. */
export function heldBatch(
  message: StreamMessage,
  receipt: Receipt,
  { tenantId, ...place }: { tenantId: string } & ShardPlace,
): HeldBatch | undefined {
  try {
    const parsed = parseMessage(message, place);
    const header = parsed.batches[receipt.batch];
    if (parsed.source.tenantId !== tenantId || !header) return undefined;
    return { segmentId: parsed.source.segmentId, header, events: eventsOf(message, receipt.batch) };
  } catch (error) {
    if (!(error instanceof MalformedMessageError)) throw error;
    return undefined; // no sender has a receipt of such a message
  }
}

function eventsOf({ data }: StreamMessage, batch: number): HeldBatch['events'] {
  const lines = Buffer.from(data.buffer, data.byteOffset, data.length)
    .subarray(readMessageHeader(data).linesFrom)
    .toString('utf8')
    .split('\n');
  return lines
    .filter((line) => line.startsWith(`{"b":${batch},`))
    .map((line) => JSON.parse(line) as { i: number; eventId: string; type: string })
    .map(({ i, eventId, type }) => ({ index: i, eventId, type }));
}

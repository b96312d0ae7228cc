import { readMessageHeader, type BatchHeader } from '../../schemas/envelope.ts';
import { eventRow } from '../../schemas/eventRow.ts';
import { formatReceipt } from '../../schemas/receipt.ts';
import type { Registry } from '../../schemas/registry.ts';
import { parseSubject } from '../../schemas/subjects.ts';

/** Outcome of one event at the receiver, for the live view. */
export interface LiveEvent {
  outcome: 'accepted' | 'rejected';
  receivedAt: string;
  segmentId: string;
  keyId: string;
  receiptId: string;
  /** Position in the sender's batch; null if the whole body was rejected. */
  index: number | null;
  type?: string;
  eventId?: string;
  /** Error code, JSON pointer and explanation of a rejected event. */
  code?: string;
  path?: string;
  message?: string;
  /** The row of an accepted event, unless it is a resend. */
  row?: Record<string, unknown>;
  /** Text of a rejected event. */
  raw?: string;
}

/** Events of a message up to a limit, and the rest's number. */
export interface LiveEvents {
  events: LiveEvent[];
  left: number;
}

/**
 * The outcomes of a message's events, rejected ones first: viewers look for those.
 * @throws Error if the message does not have the receiver's form
 */
export function liveEvents(
  message: { subject: string; data: Uint8Array; sequence: number; epoch: number },
  wanted: { most: number; keyId?: string | undefined },
  registry: Registry,
): LiveEvents {
  const { tenantId, segmentId, shard } = parseSubject(message.subject);
  const { header, linesFrom } = readMessageHeader(message.data);
  const isWanted = ({ keyId }: BatchHeader): boolean => wanted.keyId === undefined || keyId === wanted.keyId;
  const receipts = header.batches.map((_, batch) =>
    formatReceipt({ epoch: message.epoch, shard, sequence: message.sequence, batch }),
  );
  const total = header.batches
    .filter(isWanted)
    .reduce((sum, { accepted, rejected }) => sum + accepted + (rejected?.length ?? 0), 0);
  const events: LiveEvent[] = [];
  for (const [b, batch] of header.batches.entries()) {
    if (!isWanted(batch)) continue;
    for (const { schemaVersion: _, ...verdict } of batch.rejected ?? []) {
      if (events.length === wanted.most) break;
      const { receivedAt, keyId } = batch;
      events.push({ outcome: 'rejected', receivedAt, segmentId, keyId, receiptId: receipts[b]!, ...verdict });
    }
  }
  for (const line of linesOf(message.data, linesFrom)) {
    if (events.length === wanted.most) break;
    const event = JSON.parse(line) as { b: number; i: number; type: string; eventId: string };
    const batch = header.batches[event.b];
    if (!batch || !isWanted(batch)) continue;
    const { receivedAt, sentAt, skewMs, keyId, keyKind, userAgent } = batch;
    const receiptId = receipts[event.b]!;
    const facts = { tenantId, segmentId, receivedAt, sentAt, skewMs, keyId, keyKind, userAgent };
    const row = eventRow(event, facts, registry);
    events.push({
      outcome: 'accepted',
      receivedAt,
      segmentId,
      keyId,
      receiptId,
      index: event.i,
      type: event.type,
      eventId: event.eventId,
      row: { ...row, receipt_id: receiptId },
    });
  }
  return { events, left: total - events.length };
}

function* linesOf(data: Uint8Array, from: number): Generator<string> {
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.length);
  for (let at = from; at < bytes.length;) {
    const newline = bytes.indexOf(10, at);
    const end = newline < 0 ? bytes.length : newline;
    yield bytes.toString('utf8', at, end);
    at = end + 1;
  }
}

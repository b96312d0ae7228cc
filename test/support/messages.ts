import { randomBytes } from 'node:crypto';
import { headers, type MsgHdrs } from '@nats-io/transport-node';
import { EVENTS_HEADER, FORMAT, FORMAT_HEADER, type BatchHeader, type RejectedEvent } from '../../schemas/envelope.ts';
import { formatSubject, shardOf } from '../../schemas/subjects.ts';

export type TestEvent = Record<string, unknown> & { eventId: string; type: string };

/** One POST as the receiver would have judged it. */
export interface TestPost {
  events: TestEvent[];
  rejected?: RejectedEvent[];
  receivedAt?: Date;
  sentAt?: Date;
  skewMs?: number;
  /** Length of the body. */
  bytes?: number;
}

export interface TestMessage {
  subject: string;
  payload: Buffer;
  headers: MsgHdrs;
}

export const SHARDS = 4;

/** A stream message of one tenant and segment, built as schemas/envelope.ts says, not with the receiver's code. */
export function messageOf(tenantId: string, segmentId: string, posts: TestPost[], shards = SHARDS): TestMessage {
  const accepted = posts.reduce((sum, post) => sum + post.events.length, 0);
  const batches = posts.map(
    ({ events, rejected, receivedAt = new Date(), sentAt, skewMs = 0, bytes }): BatchHeader => ({
      receivedAt: receivedAt.toISOString(),
      ...(sentAt ? { sentAt: sentAt.toISOString() } : {}),
      skewMs,
      keyId: '0123456789abcdef',
      userAgent: 'test/1.0',
      accepted: events.length,
      ...(bytes === undefined ? {} : { bytes }),
      ...(rejected ? { rejected } : {}),
    }),
  );
  const lines = posts.flatMap(({ events }, b) => events.map((event, i) => JSON.stringify({ b, i, v: 1, ...event })));
  const kind = accepted > 0 ? 'events' : 'quarantine';
  return {
    subject: formatSubject({ kind, shard: shardOf(tenantId, shards), tenantId, segmentId }),
    payload: Buffer.from([JSON.stringify({ batches }), ...lines].map((line) => `${line}\n`).join('')),
    headers: messageHeaders(accepted),
  };
}

export function messageHeaders(events: number): MsgHdrs {
  const fields = headers();
  fields.set(FORMAT_HEADER, FORMAT);
  fields.set(EVENTS_HEADER, String(events));
  fields.set('Nats-Msg-Id', randomBytes(12).toString('hex'));
  return fields;
}

/** A UUID of version 7 (RFC 9562 §5.7). */
export function uuid7(time: Date = new Date()): string {
  const bytes = randomBytes(16);
  bytes.writeUIntBE(time.getTime(), 0, 6);
  bytes[6] = 0x70 | (bytes[6]! & 0x0f);
  bytes[8] = 0x80 | (bytes[8]! & 0x3f);
  const hex = bytes.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

/** A small valid event; type by turns. */
export function anEvent(index: number, time: Date = new Date(), over: Record<string, unknown> = {}): TestEvent {
  const common = { eventId: uuid7(time), timestamp: time.toISOString(), sessionId: `s-${index % 50}` };
  if (index % 3 === 0) return { ...common, type: 'Search', phrase: `shoes ${index}`, resultsCount: index, ...over };
  if (index % 3 === 1) return { ...common, type: 'ProductClicked', productId: `SKU-${index}`, position: 1, ...over };
  return {
    ...common,
    type: 'ProductAddedToCart',
    productId: `SKU-${index}`,
    quantity: 2,
    unitPrice: 9.95,
    currency: 'DKK',
    ...over,
  };
}

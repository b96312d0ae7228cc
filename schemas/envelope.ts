import type { KeyKind } from './keys.ts';

/**
 * Format 1 of a stream message: newline-delimited JSON. Many POSTs of one (tenant, segment) share a message.
 *
 *     {"batches":[{"receivedAt":"…","skewMs":0,"keyId":"…","accepted":2,"rejected":[…]}, …]}      header line
 *     {"b":0,"i":0,"v":1,"eventId":"…","type":"Search",…}                                       one line per accepted event
 *     {"b":0,"i":2,"v":1,"eventId":"…","type":"ProductClicked",…}
 *
 * `b` is the index of the event's batch in the header. `i` is the event's position in the sender's batch. `v` is the version
 * of the schema that accepted it. `c` lists the corrections, if there are any: `"c":[{"kind":"empty","path":"/userId"}]`. Every line begins with `{"b":`, so readers renumber batches without parsing events.
 * Headers of the message: `Spor-Format: 1`, `Spor-Events: <lines>`, `Nats-Msg-Id`.
 */
export const FORMAT_HEADER = 'Spor-Format';
export const EVENTS_HEADER = 'Spor-Events';
export const FORMAT = '1';

/** Server-side facts of one POST. Times are ISO 8601 UTC with milliseconds. */
export interface BatchHeader {
  receivedAt: string;
  /** The sender's own text, unchecked. */
  sentAt?: string;
  /** Correction of the sender's clock: event time is timestamp plus this. */
  skewMs: number;
  keyId: string;
  /** Kind of the key; messages of before Spor kept it have none. */
  keyKind?: KeyKind;
  userAgent?: string;
  /** Length of the POST's body as it came, in bytes; messages of before Spor kept it have none. */
  bytes?: number;
  /** Receipt of the rejected batch of redriven events. All other facts are of that batch. */
  redrivenFrom?: string;
  /** Place in a trace, as a W3C traceparent; absent: the batch is not traced. */
  trace?: string;
  /** Number of the batch's event lines in the message. */
  accepted: number;
  rejected?: RejectedEvent[];
}

/** A rejected event of a known key, with its text for the quarantine. */
export interface RejectedEvent extends Verdict {
  type?: string;
  schemaVersion?: number;
  raw: string;
}

/** The answer about one rejected event. `index` is null if the whole body was rejected. */
export interface Verdict {
  index: number | null;
  eventId?: string;
  code: string;
  path: string;
  message: string;
  /** Every fault, if there are several. The fields above are of the first, with all messages in one text. */
  faults?: readonly { code: string; path: string; message: string }[];
}

export interface MessageHeader {
  batches: BatchHeader[];
}

const NEWLINE = 10;

/**
 * Parse the header of a message, and find its first event line.
 * @throws Error if the header is not JSON with batches
 */
export function readMessageHeader(payload: Uint8Array): { header: MessageHeader; linesFrom: number } {
  const newline = payload.indexOf(NEWLINE);
  const end = newline < 0 ? payload.length : newline;
  const header = JSON.parse(Buffer.from(payload.buffer, payload.byteOffset, end).toString('utf8')) as MessageHeader;
  if (!Array.isArray(header.batches)) throw new Error('message header has no batches');
  return { header, linesFrom: newline < 0 ? payload.length : newline + 1 };
}

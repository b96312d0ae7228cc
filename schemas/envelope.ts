/**
 * The stream message, format 1. Many POSTs of one (tenant, segment) share a message, newline-delimited JSON:
 *
 *     {"batches":[{"receivedAt":"…","skewMs":0,"keyId":"…","accepted":2,"rejected":[…]}, …]}      header line
 *     {"b":0,"i":0,"v":1,"eventId":"…","type":"Search",…}                                       one line per accepted event
 *     {"b":0,"i":2,"v":1,"eventId":"…","type":"ProductClicked",…}
 *
 * `b` is the index of the event's batch in the header, `i` the event's position in the sender's batch, `v` the version of
 * the schema that accepted it. Every line begins `{"b":` so that a reader may renumber batches without parsing events.
 * Headers of the message: `Spor-Format: 1`, `Spor-Events: <lines>`, `Nats-Msg-Id`.
 */
export const FORMAT_HEADER = 'Spor-Format';
export const EVENTS_HEADER = 'Spor-Events';
export const FORMAT = '1';

/** Server-side facts of one POST, shared by its events. Times are ISO 8601 UTC with milliseconds. */
export interface BatchHeader {
  receivedAt: string;
  /** As the sender gave it. */
  sentAt?: string;
  /** Added to each timestamp to give the event time. */
  skewMs: number;
  keyId: string;
  userAgent?: string;
  /** Receipt of the refused batch that these events were redriven from; the facts above are that batch's. */
  redrivenFrom?: string;
  /** How many event lines of the message belong to this batch. */
  accepted: number;
  rejected?: RejectedEvent[];
}

/** A refused event of a known key: the verdict the sender got, and the event kept whole for the quarantine. */
export interface RejectedEvent extends Verdict {
  type?: string;
  schemaVersion?: number;
  raw: string;
}

/** What the sender is told of one refused event. `index` is null where the whole body was refused. */
export interface Verdict {
  index: number | null;
  eventId?: string;
  code: string;
  path: string;
  message: string;
}

export interface MessageHeader {
  batches: BatchHeader[];
}

const NEWLINE = 10;

/**
 * The header of a message and where its event lines begin.
 * @throws Error when the header is not JSON with batches.
 */
export function readMessageHeader(payload: Uint8Array): { header: MessageHeader; linesFrom: number } {
  const newline = payload.indexOf(NEWLINE);
  const end = newline < 0 ? payload.length : newline;
  const header = JSON.parse(Buffer.from(payload.buffer, payload.byteOffset, end).toString('utf8')) as MessageHeader;
  if (!Array.isArray(header.batches)) throw new Error('message header has no batches');
  return { header, linesFrom: newline < 0 ? payload.length : newline + 1 };
}

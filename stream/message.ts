import { FORMAT, readMessageHeader, type BatchHeader, type RejectedEvent } from '../schemas/envelope.ts';
import { contentFingerprint } from './fingerprint.ts';
import { parseSubject, shardOf, UNATTRIBUTED_TENANT } from '../schemas/subjects.ts';

/** A message of a shard's stream, as the reader delivers it. */
export interface StreamMessage {
  subject: string;
  sequence: number;
  /** Time of storage, in milliseconds since 1970. */
  timeMs: number;
  data: Uint8Array;
  /** Value of the format header. */
  format: string | undefined;
}

/** Tenant and segment of a message's events. */
export interface Source {
  tenantId: string;
  segmentId: string;
}

/** A shard, and the range that it is one of. */
export interface ShardPlace {
  shard: number;
  shards: number;
  /** First shard of the range; absent: 0. */
  first?: number;
}

/** A message with a valid subject and header. */
export interface ParsedMessage {
  source: Source;
  batches: BatchHeader[];
  /** Offset of the event lines. */
  linesFrom: number;
}

/** Reason why a message is malformed, for readers of the quarantine. */
export class MalformedMessageError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'MalformedMessageError';
  }
}

/** Source of messages that name no tenant, kept for the operator. */
export const UNATTRIBUTED: Source = { tenantId: UNATTRIBUTED_TENANT, segmentId: 'none' };

/** Names the source whose quarantine receives a malformed message. */
export function sourceOf(message: StreamMessage): Source {
  try {
    const { tenantId, segmentId } = parseSubject(message.subject);
    return { tenantId, segmentId };
  } catch {
    return UNATTRIBUTED;
  }
}

/**
 * Parses a message's subject and header; copyLines verifies its lines.
 * @throws MalformedMessageError
 */
export function parseMessage(message: StreamMessage, shards: ShardPlace): ParsedMessage {
  const { tenantId, segmentId } = subjectOf(message, shards);
  if (message.format !== FORMAT) {
    throw new MalformedMessageError(`message format is ${message.format ?? 'not given'}, expected ${FORMAT}`);
  }
  return { source: { tenantId, segmentId }, ...headerOf(message) };
}

function subjectOf({ subject }: StreamMessage, { shard, shards, first }: ShardPlace): Source {
  try {
    const parsed = parseSubject(subject);
    const right = shardOf(parsed.tenantId, shards, first);
    if (right === shard && parsed.shard === shard) return parsed;
    throw new Error(`tenant ${parsed.tenantId} belongs to shard ${right}, the message came in shard ${shard}`);
  } catch (error) {
    throw new MalformedMessageError((error as Error).message);
  }
}

function headerOf({ data }: StreamMessage): { batches: BatchHeader[]; linesFrom: number } {
  let read: ReturnType<typeof readMessageHeader>;
  try {
    read = readMessageHeader(data);
  } catch (error) {
    throw new MalformedMessageError(`message header: ${(error as Error).message}`);
  }
  const { batches } = read.header;
  if (batches.length === 0) throw new MalformedMessageError('message header has no batch');
  for (const [index, batch] of batches.entries()) {
    const fault = batchFault(batch);
    if (fault) throw new MalformedMessageError(`message header, batch ${index}: ${fault}`);
  }
  return { batches, linesFrom: read.linesFrom };
}

function batchFault(batch: BatchHeader | null): string | undefined {
  if (typeof batch !== 'object' || batch === null) return 'is not an object';
  if (!isTime(batch.receivedAt)) return 'receivedAt is not an ISO 8601 time in UTC with milliseconds';
  if (!Number.isSafeInteger(batch.skewMs)) return 'skewMs is not a whole number';
  if (typeof batch.keyId !== 'string') return 'keyId is not a text';
  if (!Number.isSafeInteger(batch.accepted) || batch.accepted < 0) return 'accepted is not a count';
  if (!isTextOrAbsent(batch.sentAt)) return 'sentAt is not a text';
  if (!isTextOrAbsent(batch.keyKind)) return 'keyKind is not a text';
  if (!isTextOrAbsent(batch.userAgent)) return 'userAgent is not a text';
  if (!isTextOrAbsent(batch.redrivenFrom)) return 'redrivenFrom is not a text';
  if (!isTextOrAbsent(batch.trace)) return 'trace is not a text';
  if (batch.rejected === undefined) return undefined;
  if (!Array.isArray(batch.rejected)) return 'rejected is not a list';
  return batch.rejected.every(isRejected) ? undefined : 'rejected has an entry of the wrong shape';
}

function isRejected(event: RejectedEvent | null): boolean {
  return (
    typeof event === 'object' &&
    event !== null &&
    (event.index === null || Number.isSafeInteger(event.index)) &&
    [event.code, event.path, event.message, event.raw].every((text) => typeof text === 'string') &&
    [event.eventId, event.type].every(isTextOrAbsent) &&
    (event.schemaVersion === undefined || Number.isSafeInteger(event.schemaVersion))
  );
}

function isTextOrAbsent(value: unknown): boolean {
  return value === undefined || typeof value === 'string';
}

function isTime(text: unknown): boolean {
  return (
    typeof text === 'string' && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(text) && !Number.isNaN(Date.parse(text))
  );
}

const NEWLINE = 10;
const COMMA = 44;
/** Beginning of every line, `{"b":` (schemas/envelope.ts). */
const PREFIX = Buffer.from('{"b":');

/** Most bytes of a message's lines after renumbering. A line is at least as long as its number can grow. */
export function renumberedBytes(bytes: number): number {
  return 3 * bytes + 16;
}

/** What copyLines wrote. */
interface CopiedLines {
  end: number;
  lines: number;
  batchSum: number;
  longest: number;
  contents: Uint16Array;
}

/**
 * Copies a message's lines into a buffer and raises their batch numbers.
 *
 * `firstBatch` is added to each number, so that numbers are unique within the window. Each batch must have as many
 * lines as its header says.
 * @returns the position after the last byte written, the number of lines, the sum of their new numbers, the bytes of the
 *   longest, and a fingerprint of each line's content
 * @throws MalformedMessageError; the bytes written by then are invalid
 */
export function copyLines(
  { data: bytes }: StreamMessage,
  { batches, linesFrom }: ParsedMessage,
  firstBatch: number,
  buffer: Buffer,
): CopiedLines {
  // Buffer's own methods are several times faster here than those of Uint8Array.
  const data = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const counts = new Uint32Array(batches.length);
  const expected = batches.reduce((sum, { accepted }) => sum + accepted, 0);
  const contents = new Uint16Array(Math.min(expected, data.length));
  let to = 0;
  let lines = 0;
  let batchSum = 0;
  let longest = 0;
  for (let at = linesFrom; at < data.length; lines++) {
    const start = to;
    for (let offset = 0; offset < PREFIX.length; offset++) {
      if (data[at + offset] !== PREFIX[offset])
        throw new MalformedMessageError(`line ${lines} does not begin with {"b":`);
      buffer[to++] = PREFIX[offset]!;
    }
    const from = at + PREFIX.length;
    let after = from;
    let index = 0;
    for (let byte = data[after]!; byte >= 48 && byte <= 57; byte = data[++after]!) index = index * 10 + byte - 48;
    if (after === from || data[after] !== COMMA || index >= counts.length) {
      throw new MalformedMessageError(`line ${lines} does not name one of the message's ${counts.length} batches`);
    }
    counts[index]!++;
    batchSum += firstBatch + index;
    to = writeNumber(firstBatch + index, buffer, to);
    const newline = data.indexOf(NEWLINE, after);
    const end = newline < 0 ? data.length : newline;
    data.copy(buffer, to, after, end);
    to += end - after;
    buffer[to++] = NEWLINE;
    longest = Math.max(longest, to - start);
    // A resend has another position in its batch, so the content begins after it.
    const position = data.indexOf(COMMA, after + 1);
    contents[lines] = contentFingerprint(view, position < 0 || position > end ? after : position, end);
    at = end + 1;
  }
  for (const [index, batch] of batches.entries()) {
    if (counts[index] !== batch.accepted) {
      throw new MalformedMessageError(`batch ${index} has ${counts[index]} lines, its header says ${batch.accepted}`);
    }
  }
  return { end: to, lines, batchSum, longest, contents };
}

function writeNumber(number: number, into: Buffer, to: number): number {
  let end = to + 1;
  for (let rest = number; rest >= 10; rest = Math.floor(rest / 10)) end++;
  for (let at = end - 1, rest = number; at >= to; at--, rest = Math.floor(rest / 10)) into[at] = 48 + (rest % 10);
  return end;
}

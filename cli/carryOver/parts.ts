import { readMessageHeader, type BatchHeader } from '../../schemas/envelope.ts';
import type { KnownMessage } from '../../stream/streamsRecord.ts';

/** Parts of a message, by the table that they belong to. */
export interface Parts {
  accepted: boolean;
  rejected: boolean;
}

/**
 * Whether a table has a message, by its position. Pure.
 *
 * A restored stream reuses sequences, so the position alone does not tell: the message must be as old, too. Without a time
 * the message counts as absent, and processors drop its events if they are resends.
 */
export function isCommitted(
  position: KnownMessage,
  { sequence, timeMs }: { sequence: number; timeMs: number },
): boolean {
  return sequence <= position.sequence && position.timeMs !== undefined && timeMs <= position.timeMs;
}

/** The parts that a message has; undefined if no receiver wrote it. Pure. */
export function partsOf(data: Uint8Array): Parts | undefined {
  try {
    const { header } = readMessageHeader(data);
    const ids = acceptedIds(data);
    return { accepted: ids.length > 0, rejected: header.batches.some(({ rejected = [] }) => rejected.length > 0) };
  } catch {
    return undefined;
  }
}

/** A message with only some of its parts; the same bytes if it has no other. Pure. */
export function withParts(data: Uint8Array, { accepted, rejected }: Parts): Uint8Array {
  const has = partsOf(data);
  if (has?.accepted === accepted && has.rejected === rejected) return data;
  const { header, linesFrom } = readMessageHeader(data);
  const batches = header.batches.map(({ rejected: verdicts, ...batch }): BatchHeader => ({
    ...batch,
    accepted: accepted ? batch.accepted : 0,
    ...(rejected && verdicts ? { rejected: verdicts } : {}),
  }));
  const lines = accepted ? data.subarray(linesFrom) : new Uint8Array();
  return Buffer.concat([Buffer.from(`${JSON.stringify({ ...header, batches })}\n`), lines]);
}

/** Ids of a message's accepted events, in lower case. @throws Error if no receiver wrote it */
export function acceptedIds(data: Uint8Array): string[] {
  const { linesFrom } = readMessageHeader(data);
  const text = Buffer.from(data.buffer, data.byteOffset, data.length).subarray(linesFrom).toString('utf8');
  const lines = text.split('\n').filter((line) => line !== '');
  return lines.map((line) => String((JSON.parse(line) as { eventId?: unknown }).eventId).toLowerCase());
}

import type { RejectedEvent } from '../../schemas/envelope.ts';

/** Codes of quarantine rows that the processor makes. */
export const PROCESSOR_CODES = {
  message_malformed: 'The stream message is not in the form the receiver writes; it is kept whole.',
  event_unreadable: 'The event was accepted but cannot be turned into a row.',
  schema_unknown: 'The event has a type or schema version that the processor does not know. Upgrade it, then redrive.',
} as const;

export type ProcessorCode = keyof typeof PROCESSOR_CODES;

/** Longest header or id, as in the receiver. A foreign message must not block the shard. */
const LONGEST_TEXT = 8_192;

/** A line of the rejected file (REJECTED_FIELDS of schemas/columns.ts). */
export function rejectedRow(b: number, event: RejectedEvent): Record<string, unknown> {
  const { index, eventId, type, code, path, message, schemaVersion, raw } = event;
  return {
    b,
    index,
    eventId: storable(eventId),
    type: storable(type),
    code: storable(code),
    path: storable(path),
    message: storable(message),
    schemaVersion,
    raw: isStorable(raw) ? raw : inBase64(Buffer.from(raw, 'utf16le')),
  };
}

/** Whether a text has neither U+0000 nor halves of surrogate pairs. */
function isStorable(text: string): boolean {
  return text.isWellFormed() && !text.includes('\0');
}

export function storable(text: string | undefined): string | undefined {
  if (text === undefined || (text.length <= LONGEST_TEXT && isStorable(text))) return text;
  return text.slice(0, LONGEST_TEXT).toWellFormed().replaceAll('\0', '\uFFFD');
}

/** Decodes UTF-8 without U+0000; gives other bytes as `base64:` and their base64. */
export function wholeText(data: Uint8Array): string {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(data);
    if (isStorable(text)) return text;
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
  }
  return inBase64(Buffer.from(data.buffer, data.byteOffset, data.length));
}

function inBase64(bytes: Buffer): string {
  return `base64:${bytes.toString('base64')}`;
}

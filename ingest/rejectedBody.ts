import { ReceiverError } from '../schemas/errors.ts';
import { LIMITS } from '../schemas/limits.ts';
import { decodeText } from './events/batch.ts';
import { decompress, type Coding } from './events/decompress.ts';

/** A body for the quarantine: storable text, else a data URL (RFC 2397). */
export function readableBody(body: Buffer, coding: Coding): string {
  try {
    const { text, damaged } = decodeText(decompress(body, coding, LIMITS.bodyBytes));
    if (!damaged && !text.includes('\0')) return text;
  } catch (error) {
    if (!(error instanceof ReceiverError)) throw error;
  }
  return `data:application/octet-stream;base64,${body.toString('base64')}`;
}

/** Remove the key, a secret that the quarantine must not hold. */
export function withoutKeys(text: string, keys: (string | undefined)[]): string {
  return keys.reduce<string>((rest, key) => (key ? rest.replaceAll(key, '[instrumentation key]') : rest), text);
}

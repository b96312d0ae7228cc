import { ReceiverError } from '../schemas/errors.ts';
import { LIMITS } from '../schemas/limits.ts';
import { keysNamedIn } from './events/bodyKey.ts';
import { decompress, type Coding } from './events/decompress.ts';

/** Size up to which a body is parsed for any sender, so that a first try gets a precise answer. */
const PARSED_FOR_ALL_BYTES = 1_024;

/**
 * The plain body of a request without a key in its header, and the tenant of the key that it names.
 *
 * Nothing is parsed for an unknown sender, and little is inflated. A brotli decoder returns nothing before it has filled
 * its window, so such a body is not inflated at all.
 * The tenant of a small body stays unknown: it is parsed in any case.
 * @param check returns the tenant of a key; throws ReceiverError if it may not send now
 * @throws ReceiverError of `check`; key_missing, body_too_large, body_encoding_invalid
 */
export function keylessBody(body: Buffer, coding: Coding, check: Check): { tenantId?: string; plain: Buffer } {
  const plain = inflate(body, coding);
  if (plain.length <= PARSED_FOR_ALL_BYTES) return { plain };
  return { plain, tenantId: checkAny(keysNamedIn(plain), check) };
}

type Check = (key: string | undefined) => string;

function inflate(body: Buffer, coding: Coding): Buffer {
  if (coding === 'br') {
    throw new ReceiverError(
      'key_missing',
      'A body in br needs its key in the header X-Instrumentation-Key. It is not decompressed for unknown senders.',
    );
  }
  const limit = LIMITS.keylessBodyBytes;
  try {
    return decompress(body, coding, limit);
  } catch (error) {
    if (!(error instanceof ReceiverError) || error.code !== 'body_too_large') throw error;
    const message = `A compressed body without the header X-Instrumentation-Key may have ${limit} bytes when decompressed. Send the key in the header, or smaller batches.`;
    throw new ReceiverError('body_too_large', message);
  }
}

/** The tenant of the first key that may send. @throws ReceiverError of the first key */
function checkAny(keys: readonly string[], check: Check): string {
  const faults: ReceiverError[] = [];
  for (const key of keys.length > 0 ? keys : [undefined]) {
    try {
      return check(key);
    } catch (error) {
      if (!(error instanceof ReceiverError)) throw error;
      faults.push(error);
    }
  }
  throw faults[0]!;
}

import { LakeError } from '../../lake/errors.ts';
import type { Call } from './route.ts';

const MAX_BODY_BYTES = 262_144;

/**
 * A request's body, one JSON object of at most 256 KiB.
 *
 * What its head rules out is refused before a waiting caller is asked to send it.
 * @throws LakeError content_type_unsupported, encoding_unsupported, body_too_large, body_not_json, body_invalid;
 * query_cancelled if the caller leaves before the end
 */
export async function readJsonObject(call: Pick<Call, 'request' | 'askForBody'>): Promise<Record<string, unknown>> {
  checkHead(call.request.headers);
  call.askForBody();
  const body = parseJson(await readAll(call.request));
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw new LakeError('body_invalid', 'The body must be a JSON object.');
  return body as Record<string, unknown>;
}

function checkHead(headers: Call['request']['headers']): void {
  const [type = '', ...parameters] = (headers['content-type'] ?? '').toLowerCase().split(';');
  const charset = parameters.map((text) => text.trim()).find((text) => text.startsWith('charset='));
  const utf8 = charset === undefined || /^charset="?(utf-?8|us-ascii)"?$/.test(charset);
  if (type.trim() !== 'application/json' || !utf8) {
    const shown = (headers['content-type'] ?? '').slice(0, 80);
    throw new LakeError('content_type_unsupported', `Content-Type is "${shown}"; send application/json, in UTF-8.`);
  }
  const coding = headers['content-encoding']?.trim().toLowerCase() ?? 'identity';
  if (coding !== 'identity') {
    const message = `Content-Encoding is "${coding.slice(0, 40)}"; send the body as it is, without that header.`;
    throw new LakeError('encoding_unsupported', message);
  }
  if (Number(headers['content-length'] ?? 0) > MAX_BODY_BYTES) throw tooLarge();
}

async function readAll(request: Call['request']): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      length += chunk.byteLength;
      if (length > MAX_BODY_BYTES) throw tooLarge();
      chunks.push(chunk);
    }
  } catch (error) {
    if (error instanceof LakeError) throw error;
    throw new LakeError('query_cancelled', 'The connection ended before the whole body had come.', { cause: error });
  }
  return Buffer.concat(chunks);
}

function tooLarge(): LakeError {
  return new LakeError('body_too_large', `The body is over ${MAX_BODY_BYTES} bytes.`);
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch (error) {
    throw new LakeError('body_not_json', 'The body is not JSON text in UTF-8. Send one JSON object.', {
      cause: error,
    });
  }
}

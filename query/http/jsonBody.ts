import type { IncomingMessage } from 'node:http';
import { LakeError } from '../../lake/errors.ts';

const MAX_BODY_BYTES = 262_144;

/**
 * A request's body, one JSON object of at most 256 KiB.
 * @throws LakeError content_type_unsupported, body_too_large, body_not_json, body_invalid; query_cancelled if the caller
 * leaves before the end
 */
export async function readJsonObject(request: IncomingMessage): Promise<Record<string, unknown>> {
  const type = (request.headers['content-type'] ?? '').split(';')[0]!.trim().toLowerCase();
  if (type !== 'application/json') {
    throw new LakeError('content_type_unsupported', `Content-Type is "${type.slice(0, 80)}"; send application/json.`);
  }
  const body = parseJson(await readAll(request));
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw new LakeError('body_invalid', 'The body must be a JSON object.');
  return body as Record<string, unknown>;
}

async function readAll(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      length += chunk.byteLength;
      if (length > MAX_BODY_BYTES) throw new LakeError('body_too_large', `The body is over ${MAX_BODY_BYTES} bytes.`);
      chunks.push(chunk);
    }
  } catch (error) {
    if (error instanceof LakeError) throw error;
    throw new LakeError('query_cancelled', 'The connection ended before the whole body had come.', { cause: error });
  }
  return Buffer.concat(chunks);
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

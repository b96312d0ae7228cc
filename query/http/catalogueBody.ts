import type { IncomingMessage } from 'node:http';
import { LakeError } from '../../lake/errors.ts';
import { ndjsonLines, type CatalogueLine } from '../catalogue/fileLines.ts';
import type { Call } from './route.ts';

/**
 * Products of a request's body: `{"products": […]}`, or NDJSON with a product a line.
 * @throws LakeError content_type_unsupported, encoding_unsupported, body_too_large, body_not_json, body_invalid,
 * query_cancelled
 */
export function catalogueBody(
  { request, askForBody }: Pick<Call, 'request' | 'askForBody'>,
  maxBytes: number,
): AsyncIterable<CatalogueLine> {
  const type = (request.headers['content-type'] ?? '').toLowerCase().split(';')[0]!.trim();
  if (type !== 'application/json' && type !== 'application/x-ndjson')
    throw new LakeError('content_type_unsupported', 'Send application/json or application/x-ndjson, in UTF-8.');
  const coding = request.headers['content-encoding']?.trim().toLowerCase() ?? 'identity';
  if (coding !== 'identity')
    throw new LakeError('encoding_unsupported', 'Send the body as it is, without Content-Encoding.');
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) throw tooLarge(maxBytes);
  askForBody();
  const chunks = textOf(request, maxBytes);
  return type === 'application/json' ? listLines(chunks) : ndjsonLines(chunks);
}

async function* listLines(chunks: AsyncIterable<string>): AsyncGenerator<CatalogueLine> {
  let text = '';
  for await (const chunk of chunks) text += chunk;
  const { products, ...rest } = parsed(text);
  if (!Array.isArray(products) || Object.keys(rest).length > 0)
    throw new LakeError('body_invalid', 'Send {"products": […]} and nothing else, or NDJSON.');
  for (const [index, product] of (products as unknown[]).entries()) {
    const isObject = typeof product === 'object' && product !== null && !Array.isArray(product);
    yield { line: index + 1, fields: isObject ? (product as Record<string, unknown>) : undefined };
  }
}

function parsed(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new LakeError('body_not_json', 'The body is not JSON text in UTF-8.', { cause });
  }
  if (typeof value !== 'object' || value === null) throw new LakeError('body_invalid', 'Send {"products": […]}.');
  return value as Record<string, unknown>;
}

async function* textOf(request: IncomingMessage, maxBytes: number): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let length = 0;
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      length += chunk.byteLength;
      if (length > maxBytes) throw tooLarge(maxBytes);
      yield decoder.decode(chunk, { stream: true });
    }
    yield decoder.decode();
  } catch (error) {
    if (error instanceof LakeError) throw error;
    if (error instanceof TypeError) throw new LakeError('body_not_json', 'The body is not UTF-8.', { cause: error });
    throw new LakeError('query_cancelled', 'The connection ended before the whole body had come.', { cause: error });
  }
}

function tooLarge(maxBytes: number): LakeError {
  return new LakeError(
    'body_too_large',
    `The body is over ${maxBytes} bytes. Send it in parts, or use "npx spor catalogue import".`,
  );
}

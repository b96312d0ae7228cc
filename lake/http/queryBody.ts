import type { IncomingMessage } from 'node:http';
import { LakeError } from '../errors.ts';

/** The body of POST /api/query. */
export interface QueryBody {
  sql: string;
  /** First and last UTC date of the events to read, YYYY-MM-DD: files of other dates are not touched. */
  from?: string;
  to?: string;
}

const MAX_BODY_BYTES = 262_144;
const FIELDS = new Set(['sql', 'format', 'from', 'to']);

/**
 * Reads and checks a request's body.
 * @throws LakeError content_type_unsupported, body_too_large, body_not_json, body_invalid
 */
export async function readQueryBody(request: IncomingMessage): Promise<QueryBody> {
  const type = (request.headers['content-type'] ?? '').split(';')[0]!.trim().toLowerCase();
  if (type !== 'application/json') {
    throw new LakeError('content_type_unsupported', `Content-Type is "${type.slice(0, 80)}"; send application/json.`);
  }
  return checkBody(parseJson(await readAll(request)));
}

async function readAll(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.byteLength;
    if (length > MAX_BODY_BYTES) throw new LakeError('body_too_large', `The body is over ${MAX_BODY_BYTES} bytes.`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch (error) {
    throw new LakeError('body_not_json', 'The body is not JSON text in UTF-8. Send {"sql": "select …"}.', {
      cause: error,
    });
  }
}

function checkBody(body: unknown): QueryBody {
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw invalid('The body must be a JSON object.');
  const { sql, format, from, to, ...rest } = body as Record<string, unknown>;
  const unknown = Object.keys(rest)[0];
  if (unknown !== undefined)
    throw invalid(`"${unknown.slice(0, 80)}" is not known; fields are ${[...FIELDS].join(', ')}.`);
  if (typeof sql !== 'string' || sql.trim() === '') throw invalid('"sql" must be a text with one SQL statement.');
  if (format !== undefined && format !== 'json') throw invalid('"format" must be "json", or absent.');
  return { sql, ...date('from', from), ...date('to', to) };
}

function date<Name extends 'from' | 'to'>(name: Name, value: unknown): { [K in Name]?: string } {
  if (value === undefined || value === null) return {};
  const isDate = typeof value === 'string' && /^\d{4}-\d\d-\d\d$/.test(value) && !Number.isNaN(Date.parse(value));
  if (!isDate) throw invalid(`"${name}" must be a UTC date such as 2026-11-23.`);
  return { [name]: value } as { [K in Name]?: string };
}

function invalid(message: string): LakeError {
  return new LakeError('body_invalid', message);
}

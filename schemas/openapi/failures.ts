import type { ErrorKind } from '../errorKind.ts';
import { jsonContent, type OpenApi } from './openApi.ts';

/** Name of the schema of every failed answer. */
export const FAILURE = 'Failure';

const RETRY_AFTER = {
  description: 'Seconds to wait before sending the same request again.',
  schema: { type: 'integer', format: 'int32', minimum: 0 },
};
const ALLOW = { description: 'The methods that this address takes.', schema: { type: 'string' } };
const AUTHENTICATE = { description: 'How to send credentials (RFC 9110 §11.6.1).', schema: { type: 'string' } };

/** The schema of a code, with all codes of a table. */
export function codeSchema(codes: readonly string[], of: string): OpenApi {
  return {
    type: 'string',
    enum: codes,
    description: `Stable code of ${of}. A later version may add codes: treat an unknown one by the status.`,
  };
}

/**
 * Responses of failed requests by status, from rows of an error table.
 *
 * The examples of a response are named after its codes: it has no others. `failureExamples` has their texts.
 */
export function failureResponses(kinds: Readonly<Record<string, ErrorKind>>): Record<string, OpenApi> {
  const byStatus = new Map<number, [string, ErrorKind][]>();
  for (const [code, kind] of Object.entries(kinds))
    byStatus.set(kind.status, [...(byStatus.get(kind.status) ?? []), [code, kind]]);
  return Object.fromEntries([...byStatus].map(([status, rows]) => [String(status), failure(status, rows)]));
}

/** An answer for each row of an error table: examples of the document by code. */
export function failureExamples(kinds: Readonly<Record<string, ErrorKind>>): Record<string, OpenApi> {
  return Object.fromEntries(
    Object.entries(kinds).map(([code, { status, help }]) => [
      code,
      { summary: `${status} ${code}`, value: { code, message: help } },
    ]),
  );
}

function failure(status: number, rows: readonly [string, ErrorKind][]): OpenApi {
  const headers = {
    ...(rows.some(([, { retryable }]) => retryable) ? { 'Retry-After': RETRY_AFTER } : {}),
    ...(status === 405 ? { Allow: ALLOW } : {}),
    ...(status === 401 ? { 'WWW-Authenticate': AUTHENTICATE } : {}),
  };
  const examples = rows.map(([code]) => [code, { $ref: `#/components/examples/${code}` }] as const);
  return {
    description: `Failed with ${rows.map(([code]) => `\`${code}\``).join(', ')}.`,
    ...(Object.keys(headers).length > 0 ? { headers } : {}),
    content: jsonContent(FAILURE, Object.fromEntries(examples)),
  };
}

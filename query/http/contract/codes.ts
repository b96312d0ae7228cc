import { LAKE_ERRORS, type LakeErrorCode } from '../../../schemas/queryErrors.ts';
import type { ErrorKind } from '../../../schemas/errorKind.ts';
import type { Operation } from './operation.ts';

const EVERYWHERE: readonly LakeErrorCode[] = [
  'request_malformed',
  'not_found',
  'method_not_allowed',
  'request_timeout',
  'expectation_failed',
  'head_too_large',
  'internal',
];

const WITH_SECRET: readonly LakeErrorCode[] = [
  'parameter_invalid',
  'too_many_queries',
  'tokens_unavailable',
  'stream_unavailable',
  'storage_unavailable',
  'clocks_differ',
  'session_cross_site',
  'role_required',
  'stopping',
];

const OF_TOKEN: readonly LakeErrorCode[] = [
  'token_conflict',
  'token_missing',
  'token_unknown',
  'token_revoked',
  'token_expired',
];

const OF_KEY: readonly LakeErrorCode[] = [
  'key_conflict',
  'key_missing',
  'key_unknown',
  'key_revoked',
  'key_expired',
  'kind_not_allowed',
];

/** Failures of the choice of a tenant. */
const WITH_TENANT: readonly LakeErrorCode[] = ['tenant_missing', 'tenant_forbidden', 'tenant_unknown'];

/** Failures of a request body. */
export const BODY_CODES: readonly LakeErrorCode[] = [
  'body_not_json',
  'body_invalid',
  'body_too_large',
  'content_type_unsupported',
  'encoding_unsupported',
  'query_cancelled',
];

/** Failures of reading tables: all faults of storage and tables that a repetition does not change. */
export const TABLE_CODES: readonly LakeErrorCode[] = Object.entries<ErrorKind>(LAKE_ERRORS)
  .filter(([code, { status }]) => status === 500 && /^(storage|table|txn)_/.test(code))
  .map(([code]) => code as LakeErrorCode);

/** Failures of running a statement. */
export const STATEMENT_CODES: readonly LakeErrorCode[] = [
  ...TABLE_CODES,
  'sql_failed',
  'version_ambiguous',
  'version_unknown',
  'version_gone',
  'format_not_acceptable',
  'query_timeout',
  'query_cancelled',
  'query_crashed',
  'query_out_of_memory',
  'tables_too_large',
  'answer_too_large',
  'tail_unavailable',
];

/** Every failure that an operation may answer, with its row of the error table. */
export function failuresOf({ access, text }: Operation): Record<string, ErrorKind> {
  const codes = new Set([
    ...(text.codes ?? []),
    ...EVERYWHERE,
    ...(access === 'open' ? [] : [...WITH_SECRET, ...(access === 'key' ? OF_KEY : OF_TOKEN)]),
    ...(access === 'reader' ? WITH_TENANT : []),
    ...(access === 'operator' ? (['operator_required'] as const) : []),
  ]);
  // The order of the table, whatever the order of the lists.
  return Object.fromEntries(Object.entries(LAKE_ERRORS).filter(([code]) => codes.has(code as LakeErrorCode)));
}

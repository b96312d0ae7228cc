import { basename } from 'node:path';
import { LakeError } from '../../lake/errors.ts';

/** Our error code for each kind of DuckDB error. A message begins with its kind. */
const KINDS: Record<string, LakeError['code']> = {
  Parser: 'sql_invalid',
  Syntax: 'sql_invalid',
  Binder: 'sql_invalid',
  Catalog: 'sql_invalid',
  'Parameter Not Resolved': 'sql_invalid',
  'Parameter Not Allowed': 'sql_invalid',
  'Not implemented': 'sql_invalid',
  Expression: 'sql_failed',
  Conversion: 'sql_failed',
  'Mismatch Type': 'sql_failed',
  'Invalid Type': 'sql_failed',
  'Invalid Input': 'sql_failed',
  'Out of Range': 'sql_failed',
  'Divide by Zero': 'sql_failed',
  Decimal: 'sql_failed',
  Permission: 'sql_forbidden',
  INTERRUPT: 'query_cancelled',
  'Out of Memory': 'query_out_of_memory',
};

/**
 * Translate an error of DuckDB.
 *
 * Its text goes to the caller only if it is about the caller's SQL.
 */
export function classify(error: unknown): LakeError {
  if (error instanceof LakeError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const kind = /^([A-Za-z ]+?) Error:/.exec(message)?.[1] ?? '';
  const code = KINDS[kind];
  if (code === undefined) return new LakeError('internal', 'The query failed inside the server.', { cause: error });
  if (code === 'query_out_of_memory') {
    return new LakeError(code, 'The query needs more memory than allowed. Narrow it, or aggregate in steps.', {
      cause: error,
    });
  }
  if (code === 'sql_forbidden') {
    return new LakeError(code, 'The query uses a file, a setting or an extension. Query the views, such as events.', {
      cause: error,
    });
  }
  return new LakeError(code, message.trim(), { cause: error });
}

/** An error whose text names the lake's files without their folders on this host. */
export function withoutPaths(error: LakeError, files: readonly string[]): LakeError {
  let { message } = error;
  for (const file of files) if (message.includes(file)) message = message.replaceAll(file, basename(file));
  return message === error.message ? error : new LakeError(error.code, message, { cause: error });
}

/**
 * An error without the extra first line of the statement.
 *
 * Spor adds a line above the caller's SQL, so DuckDB's line numbers are one too high.
 */
export function behindOwnLine(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const counted = error.message.replace(/^LINE (\d+):/m, (_, line: string) => `LINE ${Number(line) - 1}:`);
  return new Error(counted, { cause: error });
}

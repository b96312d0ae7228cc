import { isDate } from '../../../schemas/dateTime.ts';
import { LakeError } from '../../../lake/errors.ts';
import type { AnswerFormat } from '../../formats/formats.ts';
import type { AsOf } from '../../engine/resolve.ts';
import { checkAsOf, checkFormat } from './answerFields.ts';

/** Fields of POST /api/query. */
export interface QueryBody {
  sql: string;
  /** First UTC date of the events, YYYY-MM-DD. Files of other dates are skipped. */
  from?: string;
  to?: string;
  asOf: AsOf;
  /** Absent: the `Accept` header decides. */
  format?: AnswerFormat;
  /** Most rows, below the server's limit. */
  maxRows?: number;
}

const FIELDS = ['sql', 'format', 'from', 'to', 'snapshot', 'version', 'maxRows'];

/**
 * Checks the fields of a query, from the body and the address.
 *
 * `snapshot` and `version` may stand in either.
 * @throws LakeError body_invalid
 */
export function checkQueryBody(body: Record<string, unknown>, query: URLSearchParams): QueryBody {
  const { sql, format, from, to, snapshot, version, maxRows, ...rest } = body;
  const unknown = Object.keys(rest)[0];
  if (unknown !== undefined) throw invalid(`"${unknown.slice(0, 80)}" is not known; fields are ${FIELDS.join(', ')}.`);
  if (typeof sql !== 'string' || sql.trim() === '') throw invalid('"sql" must be a text with one SQL statement.');
  const known = checkFormat(format, 'body_invalid');
  if (maxRows !== undefined && (!Number.isSafeInteger(maxRows) || (maxRows as number) < 1))
    throw invalid('"maxRows" must be a whole number from 1.');
  for (const name of ['snapshot', 'version'])
    if (body[name] !== undefined && query.has(name))
      throw invalid(`"${name}" is given in the address and in the body.`);
  const days = { ...date('from', from), ...date('to', to) };
  if (days.from !== undefined && days.to !== undefined && days.from > days.to)
    throw invalid(`"from" ${days.from} is after "to" ${days.to}.`);
  const asOf = checkAsOf(snapshot ?? query.get('snapshot'), version ?? query.get('version'), 'body_invalid');
  return {
    sql,
    ...days,
    asOf,
    ...(known ? { format: known } : {}),
    ...(maxRows === undefined ? {} : { maxRows: maxRows as number }),
  };
}

function date<Name extends 'from' | 'to'>(name: Name, value: unknown): { [K in Name]?: string } {
  if (value === undefined || value === null) return {};
  if (typeof value !== 'string' || !isDate(value)) throw invalid(`"${name}" must be a UTC date such as 2026-11-23.`);
  return { [name]: value } as { [K in Name]?: string };
}

function invalid(message: string): LakeError {
  return new LakeError('body_invalid', message);
}

import { LakeError } from '../../errors.ts';

/** The body of POST /api/query. */
export interface QueryBody {
  sql: string;
  /** First and last UTC date of the events to read, YYYY-MM-DD: files of other dates are not touched. */
  from?: string;
  to?: string;
}

const FIELDS = ['sql', 'format', 'from', 'to'];

/** @throws LakeError body_invalid */
export function checkQueryBody(body: Record<string, unknown>): QueryBody {
  const { sql, format, from, to, ...rest } = body;
  const unknown = Object.keys(rest)[0];
  if (unknown !== undefined) throw invalid(`"${unknown.slice(0, 80)}" is not known; fields are ${FIELDS.join(', ')}.`);
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

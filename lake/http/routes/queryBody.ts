import { LakeError } from '../../errors.ts';
import { FORMATS, type AnswerFormat } from '../../query/formats.ts';
import type { AsOf } from '../../query/resolve.ts';

/** The body of POST /api/query. */
export interface QueryBody {
  sql: string;
  /** First and last UTC date of the events to read, YYYY-MM-DD: files of other dates are not touched. */
  from?: string;
  to?: string;
  asOf: AsOf;
  /** Absent: as the `Accept` header says. */
  format?: AnswerFormat;
  /** Fewer rows than the server's limit. */
  maxRows?: number;
}

const FIELDS = ['sql', 'format', 'from', 'to', 'snapshot', 'version', 'maxRows'];

/**
 * Checks the fields of a query: those of the body, and `snapshot` and `version`, which the address may carry instead.
 * @throws LakeError body_invalid
 */
export function checkQueryBody(body: Record<string, unknown>, query: URLSearchParams): QueryBody {
  const { sql, format, from, to, snapshot, version, maxRows, ...rest } = body;
  const unknown = Object.keys(rest)[0];
  if (unknown !== undefined) throw invalid(`"${unknown.slice(0, 80)}" is not known; fields are ${FIELDS.join(', ')}.`);
  if (typeof sql !== 'string' || sql.trim() === '') throw invalid('"sql" must be a text with one SQL statement.');
  const known = Object.keys(FORMATS).find((name) => name === format) as AnswerFormat | undefined;
  if (format !== undefined && known === undefined)
    throw invalid(`"format" must be one of ${Object.keys(FORMATS).join(', ')}, or absent.`);
  if (maxRows !== undefined && (!Number.isSafeInteger(maxRows) || (maxRows as number) < 1))
    throw invalid('"maxRows" must be a whole number from 1.');
  const asOf = checkAsOf(snapshot ?? query.get('snapshot'), version ?? query.get('version'));
  return {
    sql,
    ...date('from', from),
    ...date('to', to),
    asOf,
    ...(known ? { format: known } : {}),
    ...(maxRows === undefined ? {} : { maxRows: maxRows as number }),
  };
}

function checkAsOf(snapshot: unknown, version: unknown): AsOf {
  const known = snapshot === 'live' || snapshot === 'committed' ? snapshot : undefined;
  if (known === undefined && snapshot !== null && snapshot !== undefined)
    throw invalid('"snapshot" must be "live" or "committed", or absent.');
  if (version === null || version === undefined) return known ? { snapshot: known } : {};
  const number = typeof version === 'string' && /^\d{1,15}$/.test(version) ? Number(version) : version;
  if (!Number.isSafeInteger(number) || (number as number) < 0)
    throw invalid('"version" must be a whole number from 0.');
  if (known === 'live') throw invalid('"version" is a committed version: leave "snapshot" out.');
  return { version: number as number };
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

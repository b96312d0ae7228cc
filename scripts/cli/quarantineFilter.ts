import type { Ask, RowFilter } from '../quarantine/rows.ts';
import type { Context } from './command.ts';
import { dateOption } from './date.ts';
import { withLakeQueries } from './lakeQueries.ts';
import { numberOption } from './number.ts';
import { requiredId } from './secrets.ts';

/** Options that say which rows of a quarantine are meant, and their part of a usage text. */
export const FILTER_USAGE = `  --tenant <id>            whose
  --segment <id>           only this segment; may be repeated
  --from, --to <date>      only those received on these UTC dates, YYYY-MM-DD, both included
  --code <code>            only those refused with this code, such as field_missing
  --event <id>             only the event with this id
  --receipt <id>           only those of this batch`;

export const FILTER = {
  tenant: { type: 'string' },
  segment: { type: 'string', multiple: true },
  from: { type: 'string' },
  to: { type: 'string' },
  code: { type: 'string' },
  event: { type: 'string' },
  receipt: { type: 'string' },
  limit: { type: 'string' },
} as const;

export interface FilterValues {
  tenant?: string;
  segment?: string[];
  from?: string;
  to?: string;
  code?: string;
  event?: string;
  receipt?: string;
  limit?: string;
}

/** Runs a task over a tenant's quarantine as the options bound it. */
export function onQuarantine<T>(
  values: FilterValues,
  context: Context,
  task: (ask: Ask, filter: RowFilter) => Promise<T>,
): Promise<T> {
  const tenantId = requiredId('--tenant', values.tenant);
  const filter: RowFilter = {
    segmentIds: (values.segment ?? []).map((segment) => requiredId('--segment', segment)),
    from: values.from === undefined ? undefined : dateOption('--from', values.from),
    to: values.to === undefined ? undefined : dateOption('--to', values.to),
    code: values.code,
    eventId: values.event,
    receiptId: values.receipt,
  };
  return withLakeQueries(context, {}, (queries) =>
    task((sql, scope) => queries.run({ ...scope, tenantId, sql }), filter),
  );
}

export function limitOf({ limit }: FilterValues, fallback: number): number {
  return limit === undefined ? fallback : numberOption('--limit', limit, { min: 1, max: 1_000_000 });
}

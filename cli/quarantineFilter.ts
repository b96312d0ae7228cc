import type { Ask, RowFilter } from './redrive/rows.ts';
import { parseReceipt } from '../schemas/receipt.ts';
import { UsageError, type Context } from './command.ts';
import { dateRange } from './date.ts';
import { withLakeQueries } from './lakeQueries.ts';
import { numberOption } from './number.ts';
import { requiredId } from './secrets.ts';
import { requireTenants } from './tenant.ts';

/** Options that select rows of a quarantine, and their usage text. */
export const FILTER_USAGE = `  --tenant <id>            the tenant
  --segment <id>           only this segment; may be repeated
  --from, --to <date>      only those received on these UTC dates, YYYY-MM-DD, both included
  --code <code>            only those rejected with this code, such as field_missing
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

/** Run a task on the selected rows of a tenant's quarantine. */
export async function withQuarantine<T>(
  values: FilterValues,
  context: Context,
  task: (ask: Ask, filter: RowFilter) => Promise<T>,
): Promise<T> {
  const tenantId = requiredId('--tenant', values.tenant);
  if (values.receipt !== undefined && !parseReceipt(values.receipt))
    throw new UsageError(`--receipt ${values.receipt} is not a receipt: they look like mgq3x0ab-2-1z-0`);
  const filter: RowFilter = {
    segmentIds: (values.segment ?? []).map((segment) => requiredId('--segment', segment)),
    ...dateRange(values),
    code: values.code,
    eventId: values.event,
    receiptId: values.receipt,
  };
  await requireTenants(context, [tenantId]);
  return withLakeQueries(context, {}, (queries) =>
    task((sql, scope) => queries.run({ ...scope, tenantId, sql }), filter),
  );
}

export function limitOf({ limit }: FilterValues, fallback: number): number {
  return limit === undefined ? fallback : numberOption('--limit', limit, { min: 1, max: 1_000_000 });
}

import type { DataColumn } from './dataTable.ts';
import { dayName, numberOf } from './format.ts';
import type { Page } from './page.ts';
import { daysOfRange, nextDay } from './viewState.ts';

export type ReportRow = Record<string, unknown>;

/** Requested reports of a page by name and parameters; two panels may share one. */
const asked = new WeakMap<Page, Map<string, Promise<ReportRow[]>>>();

/** Rows of a report over the page's tenant, segment and days (`GET /api/reports/{name}`). */
export function askReport(page: Page, name: string, parameters: Record<string, string> = {}): Promise<ReportRow[]> {
  const { from, to } = daysOfRange(page.state, page.zone, Date.now());
  return askOnce(page, name, { from, to: nextDay(to), zone: page.zone, ...parameters });
}

/** The same report over the period before, as much of it as has passed of the page's. */
export function askReportBefore(
  page: Page,
  name: string,
  parameters: Record<string, string> = {},
): Promise<ReportRow[]> {
  return askReport(page, name, { before: 'true', ...parameters });
}

function askOnce(page: Page, name: string, query: Record<string, string>): Promise<ReportRow[]> {
  const key = `${name}?${new URLSearchParams(query).toString()}`;
  const known = asked.get(page) ?? new Map<string, Promise<ReportRow[]>>();
  asked.set(page, known);
  const running = known.get(key) ?? fetchReport(page, name, query);
  known.set(key, running);
  running.catch(() => known.delete(key)); // asked again, it is tried again
  return running;
}

async function fetchReport(
  { api, state, signal }: Page,
  name: string,
  query: Record<string, string>,
): Promise<ReportRow[]> {
  const answer = await api.ask<{ columns: { name: string }[]; rows: unknown[][] }>(
    `/api/reports/${name}`,
    { segment: state.segment, ...query },
    signal,
  );
  return answer.rows.map((row) => Object.fromEntries(answer.columns.map((column, index) => [column.name, row[index]])));
}

/** A column of one field of a report's rows. */
export function field(
  title: string,
  name: string,
  show?: (value: unknown, row: ReportRow) => string,
  more: Partial<DataColumn<ReportRow>> = {},
): DataColumn<ReportRow> {
  return { title, value: (row) => row[name], ...(show ? { show, numeric: true } : {}), ...more };
}

/** A column of products: the name in the catalogue with the id, or the id alone. */
export function productField(title = 'Product', id: 'product_id' | 'product_a' | 'product_b' = 'product_id') {
  const name = id === 'product_id' ? 'product_name' : `${id}_name`;
  const text = (row: ReportRow): unknown =>
    row[name] === null || row[name] === undefined ? row[id] : `${row[name] as string} (${row[id] as string})`;
  return { title, value: text } satisfies DataColumn<ReportRow>;
}

/** Series of a chart from rows of days; `of` separates rows of one day. */
export function byDay(
  rows: readonly ReportRow[],
  of?: string,
): {
  x: number[];
  xName: (x: number) => string;
  xTitle: string;
  groups: string[];
  values: (group: string, name: string) => (number | undefined)[];
} {
  const days = [...new Set(rows.map(({ date }) => String(date)))].sort();
  const groups = of === undefined ? [''] : [...new Set(rows.map((row) => String(row[of])))];
  const cells = new Map(rows.map((row) => [`${String(row.date)}/${of === undefined ? '' : String(row[of])}`, row]));
  return {
    x: days.map((_, index) => index),
    xName: (index) => dayName(days[index] ?? ''),
    xTitle: 'Day',
    groups,
    values: (group, name) => days.map((day) => numberOf(cells.get(`${day}/${group}`)?.[name])),
  };
}

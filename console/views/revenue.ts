import { chart } from '../chart.ts';
import { dataTable } from '../dataTable.ts';
import { h } from '../dom.ts';
import { amountChange } from '../figureChange.ts';
import { compactNumber, count, countOf, decimal, money, numberOf, percent, plain } from '../format.ts';
import type { Page } from '../page.ts';
import { empty, figure, panel } from '../panel.ts';
import { byDay, field, askReport, askReportBefore, type ReportRow } from '../report.ts';

/** Most currencies with large figures each; more are a table. */
const FEW_CURRENCIES = 2;

/** Sales and their sources; amounts of different currencies are never added. */
export function revenueView(page: Page): HTMLElement {
  const { signal } = page;
  return h(
    'div',
    { class: 'panel-body' },
    panel({
      title: 'In this period',
      note: 'An order counts once, even if it was sent several times. Totals include tax and shipping. Test, pending and cancelled orders are left out. A refund counts on its own day.',
      load: () => totals(page),
      signal,
    }),
    h(
      'div',
      { class: 'columns' },
      panel({ title: 'Revenue by day', load: () => daily(page, 'revenue'), signal }),
      panel({ title: 'Orders by day', load: () => daily(page, 'orders'), signal }),
    ),
    h(
      'div',
      { class: 'columns' },
      panel({
        title: 'Sources',
        note: 'By the search, list or recommendation before each order line. “Given” is the share with a searchId on the line. The rest is inferred from clicks and carts.',
        load: () => sources(page),
        signal,
      }),
      panel({ title: 'Returning customers', load: () => repeats(page), signal }),
    ),
    panel({
      title: 'Orders by status',
      note: 'All orders, also those that no figure above counts.',
      load: () => statuses(page),
      signal,
    }),
  );
}

async function totals(page: Page): Promise<HTMLElement> {
  const [rows, before] = await Promise.all([askReport(page, 'revenue'), askReportBefore(page, 'revenue')]);
  if (rows.length === 0) return noOrders();
  if (rows.length > FEW_CURRENCIES) return currencyTable(rows);
  const earlier = new Map(before.map((row) => [plain(row.currency), row]));
  return h('div', { class: 'panel-body' }, ...rows.map((row) => currencyTotals(row, earlier.get(plain(row.currency)))));
}

function currencyTable(rows: readonly ReportRow[]): HTMLElement {
  const amount = (value: unknown, row: ReportRow): string => money(value, plain(row.currency));
  return dataTable({
    caption: 'Revenue by currency',
    rows,
    columns: [
      field('Currency', 'currency'),
      field('Revenue', 'revenue', amount),
      field('Net revenue', 'net_revenue', amount),
      field('Orders', 'orders', count, { bar: true }),
      field('Average order', 'average_order_value', amount),
      field('Items per order', 'items_per_order', (value) => decimal(value, 1)),
      field('Discounts', 'discount', amount),
      field('Tax', 'tax', amount),
      field('Shipping', 'shipping', amount),
    ],
  });
}

function currencyTotals(row: ReportRow, before: ReportRow | undefined): HTMLElement {
  const currency = plain(row.currency);
  const inCurrency = (value: unknown): string => money(value, currency);
  return h(
    'dl',
    { class: 'figures' },
    figure(
      `Revenue, ${currency}`,
      inCurrency(row.revenue),
      countOf(row.orders, 'order'),
      amountChange(row.revenue, before?.revenue),
    ),
    figure(
      'Net revenue',
      inCurrency(row.net_revenue),
      `${inCurrency(row.refunded)} in ${countOf(row.refunds, 'refund')}`,
      amountChange(row.net_revenue, before?.net_revenue),
    ),
    figure('Average order', inCurrency(row.average_order_value), `${decimal(row.items_per_order, 1)} items`),
    figure('Discounts', inCurrency(row.discount), percent(row.discount_share)),
    figure('Tax', inCurrency(row.tax), percent(row.tax_share)),
    figure('Shipping', inCurrency(row.shipping), percent(row.shipping_share)),
  );
}

async function daily(page: Page, what: 'revenue' | 'orders'): Promise<HTMLElement> {
  const rows = await askReport(page, 'revenue_daily');
  if (rows.length === 0) return noOrders();
  const { x, xName, xTitle, groups, values } = byDay(rows, 'currency');
  const series = groups.map((currency) => ({ label: currency, values: values(currency, what) }));
  const [only] = groups;
  const amount = (value: unknown): string =>
    groups.length === 1 ? money(value, only!) : numberOf(value) === undefined ? '–' : count(value);
  const title = what === 'revenue' ? 'Revenue by day' : 'Orders by day';
  const format = what === 'revenue' ? amount : count;
  const kind = groups.length === 1 ? 'bars' : 'lines';
  return chart({ title, x, xName, xTitle, kind, format, axisFormat: compactNumber, series });
}

async function sources(page: Page): Promise<HTMLElement> {
  const rows = await askReport(page, 'revenue_sources');
  if (rows.length === 0) return noOrders();
  const where = (source: unknown, row: ReportRow): string =>
    row.list === null ? plain(source) : `${plain(source)}: ${plain(row.list)}`;
  return dataTable({
    caption: 'Revenue by source',
    most: 15,
    rows,
    columns: [
      field('Source', 'source', undefined, { show: where }),
      field('Revenue', 'revenue', (value, row) => money(value, plain(row.currency))),
      field('Share', 'share', percent, { bar: true }),
      field('Given', 'given_share', percent),
      field('Orders', 'orders', count),
      field('Items', 'quantity', count),
    ],
  });
}

async function statuses(page: Page): Promise<HTMLElement> {
  const rows = await askReport(page, 'order_status');
  if (rows.length === 0) return noOrders();
  return dataTable({
    caption: 'Orders by status',
    rows,
    columns: [
      field('Status', 'status', undefined, { show: (status) => plain(status ?? 'not stated') }),
      field('State', 'state', undefined, { show: (state, row) => (row.test === true ? 'test' : plain(state)) }),
      field('Counts', 'counts', undefined, { show: (counts) => (counts === true ? 'yes' : 'no') }),
      field('Orders', 'orders', count, { bar: true }),
      field('Total', 'total', (value, row) => money(value, plain(row.currency))),
    ],
  });
}

async function repeats(page: Page): Promise<HTMLElement> {
  const [row] = await askReport(page, 'repeat_rate');
  if (!row || !numberOf(row.customers)) return noOrders();
  return h(
    'dl',
    { class: 'figures' },
    figure('Customers', count(row.customers), `${decimal(row.orders_per_customer)} orders each`),
    figure(
      'Ordered twice or more',
      percent(row.repeat_rate),
      `${countOf(row.repeat_customers, 'customer')}; 95 % interval ${percent(row.repeat_rate_low)} to ${percent(row.repeat_rate_high)}`,
    ),
  );
}

function noOrders(): HTMLElement {
  return empty(
    'No orders in this period.',
    h('p', {}, 'Choose a longer period above, or send OrderCreated events: “Live events” shows how.'),
  );
}

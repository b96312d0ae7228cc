import { dataTable } from '../dataTable.ts';
import { h } from '../dom.ts';
import { count, decimal, money, percent, plain } from '../format.ts';
import type { Page } from '../page.ts';
import { empty, panel } from '../panel.ts';
import { field, askReport, productField, type ReportRow } from '../report.ts';
import { brands, categories, soldOut, unknownProducts } from './catalogue.ts';

const MOST = '200';

/** The funnel of products, from impression to order. */
export function productsView(page: Page): HTMLElement {
  const { signal } = page;
  return h(
    'div',
    { class: 'panel-body' },
    panel({
      title: 'From click to order',
      note: 'Visits with a click on the product, and the share that led to a cart add or an order, with its 95 % interval.',
      load: () => funnel(page),
      signal,
    }),
    h(
      'div',
      { class: 'columns' },
      panel({ title: 'Revenue by product', load: () => revenue(page), signal }),
      panel({
        title: 'Trend',
        note: 'Compared with the period before. Of a period that is not over, the part that has passed is compared.',
        load: () => trend(page),
        signal,
      }),
    ),
    h(
      'div',
      { class: 'columns' },
      panel({
        title: 'Sales by category',
        note: 'By the catalogue at the time of the order. Margin is net revenue less cost, where the cost is known.',
        load: () => categories(page),
        signal,
      }),
      panel({ title: 'Sales by brand', load: () => brands(page), signal }),
    ),
    h(
      'div',
      { class: 'columns' },
      panel({
        title: 'Sold out, and wanted',
        note: 'The stock is that of now.',
        load: () => soldOut(page),
        signal,
      }),
      panel({ title: 'Not in the catalogue', load: () => unknownProducts(page), signal }),
    ),
    panel({ title: 'Clicks by source', load: () => lists(page), signal }),
    panel({
      title: 'Bought together',
      note: 'Lift compares with chance: 2 means twice as often.',
      load: () => together(page),
      signal,
    }),
  );
}

const interval = (low: string, high: string) => (value: unknown, row: ReportRow) =>
  value === null ? '–' : `${percent(value)} (${percent(row[low])} to ${percent(row[high])})`;

async function funnel(page: Page): Promise<HTMLElement> {
  const rows = await askReport(page, 'product_funnel', { limit: MOST });
  if (rows.length === 0) return noClicks();
  return dataTable({
    caption: 'From click to order by product',
    most: 20,
    rows,
    columns: [
      productField(),
      field('Clicks', 'clicks', count),
      field('Visits', 'visits', count, { bar: true }),
      field('Put in the cart', 'carted', count),
      field('Ordered', 'bought', count),
      field('To cart', 'cart_rate', interval('cart_rate_low', 'cart_rate_high')),
      field('To order', 'order_rate', interval('order_rate_low', 'order_rate_high')),
    ],
  });
}

async function revenue(page: Page): Promise<HTMLElement> {
  const rows = await askReport(page, 'product_revenue', { limit: MOST });
  if (rows.length === 0) return noOrders();
  return dataTable({
    caption: 'Revenue by product',
    most: 15,
    rows,
    columns: [
      productField(),
      field('Revenue', 'revenue', (value, row) => money(value, plain(row.currency))),
      field('Net', 'net_revenue', (value, row) => money(value, plain(row.currency))),
      field('Share', 'share', percent, { bar: true }),
      field('Orders', 'orders', count),
      field('Items', 'quantity', count),
    ],
  });
}

async function trend(page: Page): Promise<HTMLElement> {
  const rows = await askReport(page, 'product_trend', { limit: MOST });
  if (rows.length === 0) return noClicks();
  const change = (value: unknown): string => (value === null ? '–' : percent(value));
  return dataTable({
    caption: 'Trend by product',
    most: 15,
    rows,
    columns: [
      productField(),
      field('Clicks', 'clicks', count, { bar: true }),
      field('Before', 'clicks_before', count),
      field('Change', 'clicks_change', change),
      field('Orders', 'orders', count),
      field('Before', 'orders_before', count),
    ],
  });
}

async function lists(page: Page): Promise<HTMLElement> {
  const rows = await askReport(page, 'list_funnel', { limit: MOST });
  if (rows.length === 0) return noClicks();
  const where = (source: unknown, row: ReportRow): string =>
    row.list === null ? plain(source) : `${plain(source)}: ${plain(row.list)}`;
  return dataTable({
    caption: 'Clicks by source, list and product',
    most: 15,
    rows,
    columns: [
      field('Source', 'source', undefined, { show: where }),
      productField(),
      field('Clicks', 'clicks', count, { bar: true }),
      field('Position', 'average_position', (value) => decimal(value, 1)),
      field('To cart', 'cart_rate', percent),
      field('To order', 'order_rate', percent),
    ],
  });
}

async function together(page: Page): Promise<HTMLElement> {
  const rows = await askReport(page, 'bought_together', { limit: MOST });
  if (rows.length === 0)
    return (await askReport(page, 'product_revenue', { limit: MOST })).length === 0
      ? noOrders()
      : empty('No two products were ordered together twice.', h('p', {}, 'Choose a longer period above.'));
  return dataTable({
    caption: 'Products bought together',
    most: 15,
    rows,
    columns: [
      productField('Product', 'product_a'),
      productField('With', 'product_b'),
      field('Orders with both', 'together', count, { bar: true }),
      field('Of orders with the first', 'confidence_a_to_b', percent),
      field('Of orders with the other', 'confidence_b_to_a', percent),
      field('Lift', 'lift', (value) => decimal(value, 1)),
    ],
  });
}

function noOrders(): HTMLElement {
  return empty('No orders in this period.', h('p', {}, 'Choose a longer period above.'));
}

function noClicks(): HTMLElement {
  return empty(
    'No product was clicked in this period.',
    h('p', {}, 'Choose a longer period above, or send ProductClicked events: “Live events” shows how.'),
  );
}

import { dataTable } from '../dataTable.ts';
import { h } from '../dom.ts';
import { count, money, percent, plain, when } from '../format.ts';
import type { Page } from '../page.ts';
import { empty } from '../panel.ts';
import { askReport, field, productField, type ReportRow } from '../report.ts';

const MOST = '200';
const amount = (value: unknown, row: ReportRow): string => money(value, plain(row.currency));

/** Sales and margin by the first level of the catalogue's categories. */
export async function categories(page: Page): Promise<HTMLElement> {
  return sales(page, 'category');
}

/** Sales and margin by brand. */
export async function brands(page: Page): Promise<HTMLElement> {
  return sales(page, 'brand');
}

async function sales(page: Page, by: 'category' | 'brand'): Promise<HTMLElement> {
  const rows = await askReport(page, `${by}_sales`, { limit: MOST });
  if (rows.length === 0) return empty('No orders in this period.');
  if (rows.every((row) => row[by] === null)) return noCatalogue(`The products sold have no ${by}.`);
  return dataTable({
    caption: `Sales by ${by}`,
    most: 12,
    rows,
    columns: [
      field(by === 'brand' ? 'Brand' : 'Category', by),
      field('Net revenue', 'net_revenue', amount),
      field('Orders', 'orders', count, { bar: true }),
      field('Margin', 'margin', amount),
      field('Of net', 'margin_rate', percent),
      field('Cost known', 'cost_share', percent),
    ],
  });
}

/** Products without stock that visitors still want. */
export async function soldOut(page: Page): Promise<HTMLElement> {
  const rows = await askReport(page, 'sold_out', { limit: MOST });
  if (rows.length === 0) return noCatalogue('No product that was wanted is sold out.');
  return dataTable({
    caption: 'Products that are sold out and wanted',
    most: 12,
    rows,
    columns: [
      productField(),
      field('Clicks', 'clicks', count, { bar: true }),
      field('Cart adds', 'cart_adds', count),
      field('Orders', 'orders', count),
      field('Since', 'sold_out_since', (at) => when(at), { whole: true }),
    ],
  });
}

/** Products of events that the catalogue does not have. */
export async function unknownProducts(page: Page): Promise<HTMLElement> {
  const rows = await askReport(page, 'unknown_products', { limit: MOST });
  if (rows.length === 0) return noCatalogue('The catalogue has every product, or there is none.');
  return dataTable({
    caption: 'Products that are not in the catalogue',
    most: 12,
    rows,
    columns: [
      productField(),
      field('Was in it', 'removed', (removed) => (removed === true ? 'yes' : 'no')),
      field('Clicks', 'clicks', count, { bar: true }),
      field('Orders', 'orders', count),
      field('Last', 'last_at', (at) => when(at), { whole: true }),
    ],
  });
}

function noCatalogue(text: string): HTMLElement {
  return empty(text, h('p', {}, 'Import names, stock and cost: ', h('code', {}, 'npx spor catalogue import'), '.'));
}

import type { DuckDBConnection } from '@duckdb/node-api';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { listReports } from '../../../query/insight/reports.ts';
import { openDuckDb } from './eventTable.ts';
import { createMacros, expectSameRows, report, type Row } from './rows.ts';
import { storeDay, type HandMade } from './shopDay.ts';

const HOUR_MS = 3_600_000;
const START_MS = Date.parse('2026-11-01T00:00:00Z');
const ASKED = { from: '2026-11-02', to: '2026-11-06' };
const PRODUCTS = ['p0', 'p1', 'p2', 'p3', 'p4', 'p5', 'p6', 'gone'];

/** Small whole numbers by a fixed rule, the same in each run. */
function createDice(seed: number): (sides: number) => number {
  let state = seed;
  return (sides) => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((state / 2_147_483_648) * sides);
  };
}

interface Version {
  productId: string;
  atMs: number;
  name: string;
  category: string[] | null;
  brand: string | null;
  cost: number | null;
  currency: string | null;
  stock: number | null;
  removed: boolean;
}

interface Line {
  orderId: string;
  atMs: number;
  productId: string;
  quantity: number;
  unitPrice: number;
  currency: string;
}

const dice = createDice(7);
/** No version of p6; versions begin after some orders. */
const versions: Version[] = Array.from({ length: 40 }, (_, index) => {
  const productId = index === 39 ? 'gone' : PRODUCTS[dice(6)]!;
  return {
    productId,
    atMs: START_MS + dice(130) * HOUR_MS + index,
    name: `Name ${index}`,
    category: [null, ['Shoes'], ['Shoes', 'Boots'], ['Hats']][dice(4)]!,
    brand: [null, 'Acme', 'Umbra'][dice(3)]!,
    cost: [null, 10, 12.5][dice(3)]!,
    currency: [null, 'DKK', 'EUR'][dice(3)]!,
    stock: [null, 0, -1, 5][dice(4)]!,
    removed: index === 39 || dice(9) === 0,
  };
}).sort((a, b) => a.atMs - b.atMs);
const lines: Line[] = Array.from({ length: 120 }, (_, index) => ({
  orderId: `O${Math.floor(index / 2)}`,
  atMs: START_MS + Math.floor(index / 2) * 2 * HOUR_MS,
  productId: PRODUCTS[(index % 2) * 4 + dice(4)]!,
  quantity: 1 + dice(3),
  unitPrice: 20 + dice(30),
  currency: Math.floor(index / 2) % 5 === 0 ? 'EUR' : 'DKK',
}));
/** Every seventh line is refunded an hour later, as a whole. */
const refunds = lines.filter((_, index) => index % 7 === 0).map((line) => ({ ...line, atMs: line.atMs + HOUR_MS }));
const clicks = Array.from({ length: 60 }, (_, index) => ({
  productId: PRODUCTS[dice(8)]!,
  atMs: START_MS + index * 2 * HOUR_MS,
}));

let connection: DuckDBConnection;
let close: () => void;

beforeAll(async () => {
  ({ connection, close } = await openDuckDb());
  const at = (ms: number): string => new Date(ms).toISOString();
  const orders = [...new Set(lines.map(({ orderId }) => orderId))].map((orderId): HandMade => {
    const own = lines.filter((line) => line.orderId === orderId);
    const sent = own.map(({ productId, quantity, unitPrice }) => ({ productId, quantity, unitPrice }));
    const { atMs, currency } = own[0]!;
    return { type: 'OrderCreated', at: at(atMs), orderId, currency, total: 1_000, lines: sent };
  });
  const back = refunds.map(({ orderId, atMs, productId, quantity, unitPrice }): HandMade => ({
    type: 'OrderRefunded',
    at: at(atMs),
    orderId,
    refundId: `R${orderId}`,
    lines: [{ productId, quantity, amount: quantity * unitPrice }],
  }));
  const clicked = clicks.map(({ productId, atMs }): HandMade => ({
    type: 'ProductClicked',
    at: at(atMs),
    productId,
    listId: 'sale',
  }));
  await storeDay(connection, [...orders, ...back, ...clicked]);
  for (const [index, version] of versions.entries()) {
    const { productId, name, category, brand, cost, currency, stock, removed, atMs } = version;
    const text = (value: string | null): string => (value === null ? 'NULL' : `'${value}'`);
    const path = category === null ? 'NULL' : `[${category.map(text).join(', ')}]`;
    const from = `TIMESTAMPTZ '${at(atMs)}'`;
    await connection.run(`INSERT INTO catalogue_all BY NAME SELECT ${text(productId)} AS product_id, ${text(name)} AS name,
      ${path} AS category, ${text(brand)} AS brand, ${cost} AS cost, ${text(currency)} AS currency, ${stock} AS stock,
      ${removed} AS removed, ${from} AS valid_from, ${from} AS imported_at, 'web' AS segment, 'v${index}' AS url`);
  }
  await createMacros(connection);
});
afterAll(() => close());

const inPeriod = ({ atMs }: { atMs: number }): boolean => atMs >= Date.parse(ASKED.from) && atMs < Date.parse(ASKED.to);
const of = (productId: string): Version[] => versions.filter((version) => version.productId === productId);
const newest = (productId: string): Version | undefined => of(productId).at(-1);
const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);
const decimal = (number: number): string => number.toFixed(4);

/** A line with what the catalogue said at its time. */
function enriched(line: Line): Line & { category: string[] | null; brand: string | null; cost: number | null } {
  const then = of(line.productId).findLast(({ atMs }) => atMs <= line.atMs);
  const labels = then ?? of(line.productId)[0];
  const fits = then !== undefined && (then.currency ?? line.currency) === line.currency;
  return { ...line, category: labels?.category ?? null, brand: labels?.brand ?? null, cost: fits ? then.cost : null };
}

type Enriched = ReturnType<typeof enriched>;

function measures(sold: readonly Enriched[], back: readonly Enriched[]): Row {
  const amount = (some: readonly Enriched[]): number => sum(some.map((line) => line.quantity * line.unitPrice));
  const known = (some: readonly Enriched[]): Enriched[] => some.filter(({ cost }) => cost !== null);
  const [revenue, refunded] = [amount(sold), amount(back)];
  const anyKnown = known(sold).length + known(back).length > 0;
  const cost = sum(known(sold).map((line) => line.quantity * line.cost!));
  const net = amount(known(sold)) - amount(known(back));
  return {
    orders: new Set(sold.map(({ orderId }) => orderId)).size,
    quantity: decimal(sum(sold.map(({ quantity }) => quantity))),
    revenue: decimal(revenue),
    refunded: decimal(refunded),
    net_revenue: decimal(revenue - refunded),
    cost: anyKnown ? decimal(cost) : null,
    margin: anyKnown ? decimal(net - cost) : null,
    margin_rate: anyKnown && net !== 0 ? (net - cost) / net : null,
    cost_share: revenue === 0 ? null : amount(known(sold)) / revenue,
  };
}

/** Rows of a report by what a line belongs to. */
function expectedSales(keyOf: (line: Enriched) => Row, withProducts: boolean): Row[] {
  const [sold, back] = [lines, refunds].map((some) => some.filter(inPeriod).map(enriched)) as [Enriched[], Enriched[]];
  const keys = new Map([...sold, ...back].map((line) => [JSON.stringify(keyOf(line)), keyOf(line)]));
  return [...keys].map(([text, key]) => {
    const mine = (line: Enriched): boolean => JSON.stringify(keyOf(line)) === text;
    const products = new Set([...sold, ...back].filter(mine).map(({ productId }) => productId)).size;
    return { ...key, ...(withProducts ? { products } : {}), ...measures(sold.filter(mine), back.filter(mine)) };
  });
}

test.each([1, 2, 5])('sales and margin by category, %i levels', async (level) => {
  const rows = await report(connection, { name: 'category_sales', ...ASKED, parameters: { level } });
  const expected = expectedSales(
    ({ category, currency }) => ({
      category: category === null ? null : category.slice(0, level).join(' > '),
      currency,
      prices_include_tax: null,
    }),
    true,
  );
  expect(rows.length).toBeGreaterThan(4);
  expectSameRows(rows, expected, ['category', 'currency']);
});

test('sales and margin by brand', async () => {
  const rows = await report(connection, { name: 'brand_sales', ...ASKED });
  const keyOf = ({ brand, currency }: Enriched): Row => ({ brand, currency, prices_include_tax: null });
  expectSameRows(rows, expectedSales(keyOf, true), ['brand', 'currency']);
});

test('margin by product, with the cost at the time of each order', async () => {
  const rows = await report(connection, { name: 'product_margin', ...ASKED });
  const keyOf = ({ productId, currency }: Enriched): Row => ({
    product_id: productId,
    product_name: newest(productId)?.name ?? null,
    currency,
    prices_include_tax: null,
  });
  expectSameRows(rows, expectedSales(keyOf, false), ['product_id', 'currency']);
});

/** Clicks and orders of a product in the period. */
function demandOf(productId: string): { clicks: number; orders: number; lastMs: number } {
  const mine = <T extends { productId: string; atMs: number }>(some: readonly T[]): T[] =>
    some.filter((one) => one.productId === productId && inPeriod(one));
  return {
    clicks: mine(clicks).length,
    orders: new Set(mine(lines).map(({ orderId }) => orderId)).size,
    lastMs: Math.max(...[...mine(clicks), ...mine(lines)].map(({ atMs }) => atMs)),
  };
}

test('products that are sold out, and since when', async () => {
  const empty = ({ stock, removed }: Version): boolean => !removed && stock !== null && stock <= 0;
  const expected = PRODUCTS.filter((id) => newest(id) && empty(newest(id)!)).map((id): Row => {
    const { clicks: clicked, orders } = demandOf(id);
    const full = of(id).findLastIndex((version) => !empty(version));
    return {
      product_id: id,
      product_name: newest(id)!.name,
      stock: decimal(newest(id)!.stock!),
      sold_out_since: new Date(of(id)[full + 1]!.atMs).toISOString(),
      clicks: clicked,
      cart_adds: 0,
      orders,
    };
  });
  expect(expected.length).toBeGreaterThan(0);
  expectSameRows(await report(connection, { name: 'sold_out', ...ASKED }), expected, ['product_id']);
});

test('products that the catalogue does not have', async () => {
  const expected = PRODUCTS.filter((id) => newest(id)?.removed ?? true).map((id): Row => {
    const { clicks: clicked, orders, lastMs } = demandOf(id);
    return {
      product_id: id,
      product_name: newest(id)?.name ?? null,
      removed: newest(id) !== undefined,
      clicks: clicked,
      cart_adds: 0,
      orders,
      last_at: new Date(lastMs).toISOString(),
    };
  });
  expect(expected.map((row) => row.removed)).toContain(false);
  expect(expected.map((row) => row.removed)).toContain(true);
  expectSameRows(await report(connection, { name: 'unknown_products', ...ASKED }), expected, ['product_id']);
});

test('every report with a product has its name, and keeps its order', async () => {
  const withProduct = listReports().filter(({ columns }) => columns.some(({ name }) => name === 'product_id'));
  expect(withProduct.length).toBeGreaterThan(10);
  const rows = await report(connection, { name: 'product_revenue', ...ASKED, parameters: { limit: 5 } });
  expect(rows.map((row) => row.product_name)).toEqual(
    rows.map((row) => newest(row.product_id as string)?.name ?? null),
  );
  const revenues = rows.map((row) => Number(row.revenue));
  expect(revenues).toEqual(revenues.toSorted((a, b) => b - a));
  const other = await report(connection, { name: 'product_revenue', ...ASKED, segment: 'app' });
  expect(other).toEqual([]);
});

test('a shop without a catalogue has no names and no margin', async () => {
  await connection.run('DELETE FROM catalogue_all');
  const rows = await report(connection, { name: 'category_sales', ...ASKED });
  expect(rows.map(({ category, margin, cost_share: share }) => [category, margin, share])).toEqual([
    [null, null, 0],
    [null, null, 0],
  ]);
  expect(await report(connection, { name: 'unknown_products', ...ASKED })).toEqual([]);
  expect(await report(connection, { name: 'sold_out', ...ASKED })).toEqual([]);
});

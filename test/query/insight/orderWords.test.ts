import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { DuckDBConnection } from '@duckdb/node-api';
import { Judge } from '../../../ingest/events/judge.ts';
import { createRegistry } from '../../../schemas/registry.ts';
import { readInvoices } from '../../../scripts/publicData/invoices.ts';
import { createEventTable, openDuckDb } from './eventTable.ts';
import { createViews, query, report, type Row } from './rows.ts';
import { PERIOD, storeDay, type HandMade } from './shopDay.ts';

let connection: DuckDBConnection;
let close: () => void;

beforeAll(async () => {
  ({ connection, close } = await openDuckDb());
  await storeDay(connection, []);
  await createViews(connection);
});
afterAll(() => close());

const SERVER = { keyKind: 'server', keyId: 'backend' } as const;
const BROWSER = { keyKind: 'browser', keyId: 'browser' } as const;

/** Stores events; those without facts of the server came with a server key. */
function given(...events: HandMade[]): Promise<void> {
  return storeDay(
    connection,
    events.map((event) => ({ ...event, server: { ...SERVER, ...event.server } })),
  );
}

async function revenue(): Promise<Row> {
  const rows = await report(connection, { name: 'revenue', ...PERIOD });
  expect(rows).toHaveLength(1);
  return rows[0]!;
}

function line(productId: string | undefined, quantity: number, unitPrice: number, more: object = {}): object {
  return { ...(productId === undefined ? {} : { productId }), quantity, unitPrice, ...more };
}

describe("a server's word about an order", () => {
  const told = (server: HandMade['server'], receivedAt: string, more: object): HandMade => ({
    type: 'OrderCreated',
    at: '10:00',
    server: { ...server, receivedAt },
    ...more,
  });

  test.each([
    ['after', '2026-11-02T10:00:05Z'],
    ['before', '2026-11-02T10:00:01Z'],
  ])("goes before a browser's that comes %s it", async (_, browserAt) => {
    await given(
      told(BROWSER, browserAt, { total: 1, lines: [line('P1', 1, 1, { listId: 'L' })], userId: 'u' }),
      told(SERVER, '2026-11-02T10:00:03Z', { lines: [line('P1', 2, 50)], sessionId: undefined, anonymousId: 'b' }),
    );
    expect(await revenue()).toMatchObject({ orders: 1, revenue: '100.0000', items: '2.0000' });
    expect(
      await query(
        connection,
        'SELECT session_id, anonymous_id, user_id, lines[1].list_id AS list, amounts_differ FROM orders',
      ),
    ).toEqual([{ session_id: 's1', anonymous_id: 'b', user_id: 'u', list: 'L', amounts_differ: true }]);
    expect(await report(connection, { name: 'order_status', ...PERIOD })).toMatchObject([{ amounts_differ: 1 }]);
  });
});

describe('the same order number in two segments', () => {
  test('is two orders, each with its own visit and search', async () => {
    const shop = (segmentId: string): HandMade[] => [
      { type: 'Search', at: '09:58', searchId: 'q', phrase: segmentId, resultIds: ['P1'], server: { segmentId } },
      { type: 'ProductClicked', at: '09:59', server: { segmentId } },
      { type: 'OrderCreated', at: '10:00', server: { segmentId } },
      { type: 'OrderCancelled', at: '10:01', orderId: `only ${segmentId}`, server: { segmentId } },
    ];
    await given(...shop('dk'), ...shop('se'), {
      type: 'OrderRefunded',
      at: '11:00',
      amount: 10,
      server: { segmentId: 'se' },
    });
    expect(await revenue()).toMatchObject({ orders: 2, revenue: '200.0000', refunded: '10.0000' });
    for (const [segment, refunded] of [
      ['dk', '0.0000'],
      ['se', '10.0000'],
    ] as const) {
      expect(await report(connection, { name: 'revenue', ...PERIOD, segment })).toMatchObject([
        { orders: 1, revenue: '100.0000', refunded },
      ]);
    }
    expect(await report(connection, { name: 'search_revenue', ...PERIOD })).toMatchObject([
      { phrase: 'dk', orders: 1, searches: 1 },
      { phrase: 'se', orders: 1, searches: 1 },
    ]);
    expect(await report(connection, { name: 'repeat_rate', ...PERIOD })).toMatchObject([
      { customers: 2, repeat_customers: 0 },
    ]);
    expect(await report(connection, { name: 'search_overview', ...PERIOD })).toMatchObject([
      { searches: 2, visitors: 2, refinement_rate: 0, clicked_searches: 2 },
    ]);
    expect(await query(connection, 'SELECT scope, events, orders FROM sessions ORDER BY scope')).toEqual([
      { scope: 'dk', events: 3, orders: 1 },
      { scope: 'se', events: 3, orders: 1 },
    ]);
  });
});

describe('refunds', () => {
  const order = { type: 'OrderCreated', at: '10:00', total: 130, shipping: 10 } as const;
  const lines = [line('A', 2, 40), line('B', 1, 50, { discount: 10 })];
  const twoDays = async (): Promise<unknown[]> =>
    (await report(connection, { name: 'revenue_daily', ...PERIOD })).map((row) => [
      row.date,
      row.revenue,
      row.refunds,
      row.refunded,
      row.net_revenue,
    ]);
  const products = async (): Promise<unknown[]> =>
    (await report(connection, { name: 'product_revenue', ...PERIOD })).map((row) => [
      row.product_id,
      row.revenue,
      row.refunded,
      row.net_revenue,
    ]);

  test('of an amount, of lines, and of all that is left count on their day', async () => {
    await given(
      { ...order, lines },
      { type: 'OrderRefunded', at: '11:00', amount: 5 },
      {
        type: 'OrderRefunded',
        at: '2026-11-03T10:00:00Z',
        lines: [{ productId: 'A', quantity: 1 }, { productId: 'B' }],
      },
      { type: 'OrderRefunded', at: '2026-11-03T11:00:00Z' },
      // Told twice: nothing is left.
      { type: 'OrderRefunded', at: '2026-11-03T12:00:00Z' },
    );
    expect(await twoDays()).toEqual([
      ['2026-11-02', '130.0000', 1, '5.0000', '125.0000'],
      ['2026-11-03', '0.0000', 3, '125.0000', '-125.0000'],
    ]);
    expect(await products()).toEqual([
      ['A', '80.0000', '40.0000', '40.0000'],
      ['B', '40.0000', '40.0000', '0.0000'],
    ]);
  });

  test('of a whole order refund every product of it', async () => {
    await given({ ...order, lines }, { type: 'OrderRefunded', at: '11:00', amount: 130 });
    expect(await products()).toEqual([
      ['A', '80.0000', '80.0000', '0.0000'],
      ['B', '40.0000', '40.0000', '0.0000'],
    ]);
    expect(await report(connection, { name: 'revenue_sources', ...PERIOD })).toMatchObject([
      { revenue: '120.0000', refunded: '120.0000', net_revenue: '0.0000' },
    ]);
  });

  test('with one refundId count once, whatever their event ids; others all count', async () => {
    await given(
      { ...order, lines },
      { type: 'OrderRefunded', at: '11:00', amount: 5, refundId: 'r1' },
      { type: 'OrderRefunded', at: '11:05', amount: 5, refundId: 'r1' },
      { type: 'OrderRefunded', at: '11:05', amount: 7, refundId: 'r2' },
    );
    expect(await revenue()).toMatchObject({ refunds: 2, refunded: '12.0000', net_revenue: '118.0000' });
  });

  test('of an order that is not known count with their own amount and currency', async () => {
    await given({
      type: 'OrderRefunded',
      at: '11:00',
      orderId: 'before Spor',
      currency: 'EUR',
      amount: 19.95,
      lines: [{ productId: 'A', amount: 19.95 }],
    });
    expect(await revenue()).toMatchObject({
      currency: 'EUR',
      orders: 0,
      revenue: '0.0000',
      net_revenue: '-19.9500',
      average_order_value: null,
    });
    expect(await products()).toEqual([['A', '0.0000', '19.9500', '-19.9500']]);
  });

  test('of a cancelled, pending or test order count no more than the order does', async () => {
    await given(
      { ...order, lines },
      { ...order, lines, orderId: 'cancelled', status: 'Cancelled' },
      { ...order, lines, orderId: 'test', test: true },
      ...['cancelled', 'test'].map((orderId): HandMade => ({ type: 'OrderRefunded', at: '11:00', orderId })),
    );
    expect(await revenue()).toMatchObject({ orders: 1, refunds: 0, net_revenue: '130.0000' });
  });
});

describe('cancellations', () => {
  test('of the whole order take it out of every report, whenever they come', async () => {
    await given(
      { type: 'OrderCreated', at: '10:00' },
      { type: 'OrderCreated', at: '10:10', orderId: 'O2' },
      { type: 'OrderCancelled', at: '2026-11-20T10:00:00Z', reason: 'out of stock' },
    );
    expect(await revenue()).toMatchObject({ orders: 1, revenue: '100.0000', refunds: 0 });
    expect(await query(connection, 'SELECT order_id FROM order_lines')).toEqual([{ order_id: 'O2' }]);
    expect(await query(connection, "SELECT order_id FROM attribution WHERE kind = 'order_line'")).toEqual([
      { order_id: 'O2' },
    ]);
  });

  test('of lines count as given back', async () => {
    await given(
      { type: 'OrderCreated', at: '10:00', total: 300, lines: [line('A', 3, 100)] },
      { type: 'OrderCancelled', at: '10:30', lines: [{ productId: 'A', quantity: 2 }] },
    );
    expect(await revenue()).toMatchObject({
      orders: 1,
      revenue: '300.0000',
      refunds: 1,
      refunded: '200.0000',
      net_revenue: '100.0000',
    });
  });
});

test('corrections replace what they state, the latest by time, and lines keep their source', async () => {
  await given(
    { type: 'OrderCreated', at: '10:00', tax: 20, status: 'pending', lines: [line('A', 1, 100, { searchId: 'q' })] },
    { type: 'OrderCorrected', at: '12:00', total: 80, lines: [line('A', 1, 60), line('B', 1, 20)] },
    { type: 'OrderCorrected', at: '11:00', total: 90, status: 'paid' },
    { type: 'OrderCorrected', at: '11:00', orderId: 'never created', total: 90 },
  );
  expect(await revenue()).toMatchObject({ orders: 1, revenue: '80.0000', goods_total: '80.0000', tax: '20.0000' });
  expect(
    await query(connection, 'SELECT product_id, search_id, line_total FROM order_lines ORDER BY line_number'),
  ).toEqual([
    { product_id: 'A', search_id: 'q', line_total: '60.0000' },
    { product_id: 'B', search_id: null, line_total: '20.0000' },
  ]);
});

describe('status and tests', () => {
  const STATES = {
    live: ['paid', 'Completed', 'wc-processing', 'authorized', 'partially_refunded', 'shipped', 'something of our own'],
    pending: ['pending', 'on-hold', 'Pending Payment', 'wc-pending', 'awaiting_payment', 'unpaid', 'draft'],
    cancelled: ['cancelled', 'Canceled', 'wc-cancelled', 'voided', 'refunded', 'FAILED', 'Annulée'],
  };

  test('each word has its state; words of the shop and no word are live', async () => {
    const words = Object.entries(STATES).flatMap(([state, all]) => all.map((word) => ({ state, word })));
    const rows = await query(
      connection,
      `SELECT order_state(word) AS state, word FROM (VALUES ${words.map(({ word }) => `('${word}')`).join(', ')}) AS words(word)`,
    );
    expect(rows).toEqual(words);
    expect(await query(connection, 'SELECT order_state(NULL) AS state')).toEqual([{ state: 'live' }]);
  });

  test('of nine exported orders the one that is live counts, and all are shown by status', async () => {
    const gone = ['cancelled', 'voided', 'refunded', 'Canceled', 'pending'];
    await given(
      { type: 'OrderCreated', at: '10:00', orderId: 'live', status: 'paid' },
      ...gone.map((status): HandMade => ({ type: 'OrderCreated', at: '10:00', orderId: status, status })),
      ...['t1', 't2'].map((orderId): HandMade => ({
        type: 'OrderCreated',
        at: '10:00',
        orderId,
        status: 'paid',
        test: true,
      })),
      { type: 'OrderCreated', at: '10:00', orderId: 'later' },
      { type: 'OrderCancelled', at: '10:30', orderId: 'later' },
    );
    expect(await revenue()).toMatchObject({ orders: 1, revenue: '100.0000' });
    expect(await report(connection, { name: 'bought_together', ...PERIOD })).toEqual([]);
    expect(await report(connection, { name: 'repeat_rate', ...PERIOD })).toMatchObject([{ customers: 1, orders: 1 }]);
    const shown = await report(connection, { name: 'order_status', ...PERIOD });
    expect(shown.reduce((sum, { orders }) => sum + Number(orders), 0)).toBe(9);
    expect(shown.filter(({ counts }) => counts)).toMatchObject([
      { status: 'paid', state: 'live', test: false, total: '100.0000' },
    ]);
    expect(shown).toContainEqual(expect.objectContaining({ status: null, state: 'cancelled', orders: 1 }));
    expect(shown).toContainEqual(expect.objectContaining({ status: 'paid', test: true, orders: 2 }));
  });
});

test('a month of invoices and returns adds up to the penny, whatever the returns are of', async () => {
  const pence = (place: number): number => 1 + ((place * 7919) % 20_000);
  const rows = Array.from({ length: 150 }, (_, place) => {
    const back = place % 12 === 5;
    const at = new Date(Date.parse('2026-11-02T08:00:00Z') + place * 4 * 60_000).toISOString().slice(0, 19);
    const row = (product: string, quantity: number, price: string): string =>
      `${back ? 'C' : ''}${place},${product},NAME,${quantity},${at.replace('T', ' ')},${price},${place % 3 ? '17850.0' : ''},UK`;
    const lines = Array.from({ length: 1 + (place % 40) }, (_line, number) => {
      const quantity = (back ? -1 : 1) * (1 + ((place + number) % 48));
      return row(
        `P${(place * number) % 90}`,
        quantity,
        (pence(place * 100 + number) / 100).toFixed(number % 3 ? 2 : 4),
      );
    });
    // A correction of stock: nothing is paid, and the quantity is negative.
    if (place % 31 === 0) lines.push(row('P1', -10, '0.0'));
    return lines;
  }).flat();
  const header = 'InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country';
  const { events, netUnits } = readInvoices([header, ...rows].join('\n'));
  const { lineEnds, rejected } = new Judge(createRegistry()).judge({
    events,
    receivedAtMs: Date.parse('2026-11-02T23:00:00Z'),
    skewMs: 0,
    keyKind: 'server',
  });
  expect([events.length, rejected]).toEqual([150, []]);
  const stored = lineEnds.map((end) => `{${end.slice(end.indexOf('"eventId"'))}`);
  await createEventTable(
    connection,
    stored.map((json) => ({ json, segmentId: 'b2b', ...SERVER })),
  );
  const units = (amount: unknown): bigint => BigInt(String(amount).replace('.', ''));
  expect(units((await revenue()).net_revenue)).toBe(netUnits);
  const products = await report(connection, { name: 'product_revenue', ...PERIOD });
  expect(products.reduce((sum, row) => sum + units(row.net_revenue), 0n)).toBe(netUnits);
});

describe('what contains what', () => {
  test('fees, tips and shipping are lines, but neither goods nor products', async () => {
    await given({
      type: 'OrderCreated',
      at: '10:00',
      total: 146,
      lines: [
        line('A', 2, 50),
        line(undefined, 1, 30, { name: 'Engraving' }),
        line(undefined, 1, 10, { kind: 'tip' }),
        line(undefined, 1, 6, { kind: 'shipping', name: 'Parcel' }),
      ],
    });
    expect(await revenue()).toMatchObject({ revenue: '146.0000', items: '3.0000', goods_total: '130.0000' });
    expect(await report(connection, { name: 'product_revenue', ...PERIOD })).toMatchObject([
      { product_id: 'A', share: 1 },
    ]);
    expect(await report(connection, { name: 'revenue_sources', ...PERIOD })).toMatchObject([
      { order_lines: 2, revenue: '130.0000' },
    ]);
    for (const name of ['bought_together', 'popularity', 'product_trend', 'interactions']) {
      const rows = await report(connection, { name, ...PERIOD });
      expect(rows.filter((row) => row.product_id === null || row.product_a === null)).toEqual([]);
    }
  });

  test.each([
    ['repeats those of its lines', 90, '10.0000'],
    ['comes on top of them', 80, '20.0000'],
  ])('a discount of the order %s, as the total tells', async (_, total, discount) => {
    await given({
      type: 'OrderCreated',
      at: '10:00',
      total,
      discount: 10,
      lines: [line('A', 1, 100, { discount: 10 })],
    });
    expect(await revenue()).toMatchObject({ discount, discount_share: Number(discount) / 100 });
  });

  test.each([
    [10_000, 0.005678, '57.0000'],
    [100, 0.5678, '56.7800'],
  ])('%d pieces at %d: the total is exact, and the line as fine as its price', async (quantity, price, sold) => {
    const unitPrice = Math.round(price * 10_000) / 10_000; // as the receiver corrects it: sdk/conformance/normalise
    await given({ type: 'OrderCreated', at: '10:00', total: 56.78, lines: [line('screw', quantity, unitPrice)] });
    expect(await revenue()).toMatchObject({ revenue: '56.7800', goods_total: sold });
    expect(await report(connection, { name: 'product_revenue', ...PERIOD })).toMatchObject([{ revenue: sold }]);
  });

  test('prices with and without tax are not added', async () => {
    const order = (orderId: string, pricesIncludeTax: boolean | undefined): HandMade => ({
      type: 'OrderCreated',
      at: '10:00',
      orderId,
      total: 125,
      tax: 25,
      pricesIncludeTax,
      lines: [line('A', 1, pricesIncludeTax === false ? 100 : 125)],
    });
    await given(order('with', true), order('without', false), order('unsaid', undefined));
    expect(await revenue()).toMatchObject({
      revenue: '375.0000',
      goods_total: '250.0000',
      goods_total_without_tax: '100.0000',
    });
    for (const name of ['product_revenue', 'revenue_sources']) {
      const rows = await report(connection, { name, ...PERIOD });
      expect(rows.map(({ prices_include_tax: tax, revenue: sum }) => [tax, sum])).toEqual(
        expect.arrayContaining([
          [true, '125.0000'],
          [false, '100.0000'],
          [null, '125.0000'],
        ]),
      );
      expect(rows).toHaveLength(3);
    }
  });
});

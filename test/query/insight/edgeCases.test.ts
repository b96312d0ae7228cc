import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { DuckDBConnection } from '@duckdb/node-api';
import { insightMacros } from '../../../query/insight/views.ts';
import { openDuckDb } from './eventTable.ts';
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

/** Says whether segments share their ids, in views and reports. */
async function share(sharedIds: boolean): Promise<void> {
  const { sql } = insightMacros({ sharedIds }).find(({ name }) => name === 'id_scope')!;
  await connection.run(sql.replace('CREATE MACRO', 'CREATE OR REPLACE MACRO'));
}

function given(...events: HandMade[]): Promise<void> {
  return storeDay(connection, events);
}

async function one(name: string, period = PERIOD): Promise<Row> {
  const rows = await report(connection, { name, ...period });
  expect(rows).toHaveLength(1);
  return rows[0]!;
}

describe('what is not tracked is unknown, not zero', () => {
  test('searches without any click, cart or order tracked', async () => {
    await given({ type: 'Search', at: '10:00' }, { type: 'Search', at: '10:02', phrase: 'boots', resultsCount: 0 });
    expect(await one('search_overview')).toMatchObject({
      searches: 2,
      zero_results: 1,
      zero_result_rate: 0.5,
      refinement_rate: 0.5,
      clicks: null,
      clicked_searches: null,
      ctr: null,
      ctr_at_1: null,
      mrr: null,
      abandonment_rate: null,
      cart_rate: null,
      purchase_rate: null,
      inferred_click_share: null,
    });
    expect(await report(connection, { name: 'search_no_clicks', ...PERIOD, parameters: { min_searches: 1 } })).toEqual(
      [],
    );
    expect(await one('repeat_rate')).toMatchObject({ customers: null, orders: null, repeat_rate: null });
  });

  test('clicks tracked, but none of these searches was clicked', async () => {
    await given({ type: 'Search', at: '10:00' }, { type: 'ProductClicked', at: '10:01', listId: 'sale', position: 1 });
    expect(await one('search_overview')).toMatchObject({
      clicks: 0,
      ctr: 0,
      ctr_at_1: 0,
      mrr: 0,
      mrr_clicked: null,
      abandonment_rate: 1,
    });
    expect(
      await report(connection, { name: 'search_no_clicks', ...PERIOD, parameters: { min_searches: 1 } }),
    ).toHaveLength(1);
  });

  test('clicks that tell no position', async () => {
    await given({ type: 'Search', at: '10:00', searchId: 'q' }, { type: 'ProductClicked', at: '10:01', searchId: 'q' });
    expect(await one('search_overview')).toMatchObject({ clicks: 1, ctr: 1, ctr_at_1: null, mrr: null });
    expect(await one('search_positions')).toMatchObject({ position: null, clicks: 1, share: 1, shown: null });
  });

  test('a lake without any event', async () => {
    await given();
    expect(await one('search_overview')).toMatchObject({
      searches: 0,
      visitors: 0,
      zero_results: 0,
      zero_result_rate: null,
      ctr: null,
    });
    expect(await report(connection, { name: 'search_daily', ...PERIOD })).toMatchObject([
      { date: '2026-11-02', searches: 0, ctr: null },
      { date: '2026-11-03', searches: 0, ctr: null },
    ]);
    expect(await report(connection, { name: 'revenue', ...PERIOD })).toEqual([]);
    expect(await report(connection, { name: 'revenue_daily', ...PERIOD })).toEqual([]);
    expect(await report(connection, { name: 'phrase_products', ...PERIOD })).toEqual([]);
  });

  test('tax, shipping and discount that no order tells', async () => {
    await given({ type: 'OrderCreated', at: '10:00' }, { type: 'OrderCreated', at: '11:00', orderId: 'O2' });
    expect(await one('revenue')).toMatchObject({
      orders: 2,
      revenue: '200.0000',
      average_order_value: 100,
      discount: null,
      tax: null,
      tax_share: null,
      shipping: null,
    });
  });

  test('shares are of the orders that tell; a discount left out is none', async () => {
    await given(
      { type: 'OrderCreated', at: '10:00', tax: 20, discount: 10 },
      {
        type: 'OrderCreated',
        at: '11:00',
        orderId: 'O2',
        total: 300,
        lines: [{ productId: 'P1', quantity: 3, unitPrice: 100.5, discount: 1.5 }],
      },
    );
    expect(await one('revenue')).toMatchObject({
      tax: '20.0000',
      tax_share: 0.2,
      discount: '11.5000',
      discount_share: 11.5 / 401.5,
      goods_total: '400.0000',
      items: '4.0000',
      items_per_order: 2,
    });
  });
});

describe('one order, counted once', () => {
  const lines = [{ productId: 'P1', variantId: 'P1-m', quantity: 2, unitPrice: 50 }];
  const browser = { keyId: 'browser', receivedAt: '2026-11-02T10:00:05Z' };
  const backend = { keyId: 'backend', receivedAt: '2026-11-02T10:00:02Z', segmentId: 'backend' };

  test('the thank-you page reloaded, days later too', async () => {
    await given(
      { type: 'OrderCreated', at: '10:00' },
      { type: 'OrderCreated', at: '10:05' },
      { type: 'OrderCreated', at: '2026-11-20T08:00:00Z' },
    );
    expect(await one('revenue')).toMatchObject({ orders: 1, revenue: '100.0000' });
    expect(
      await query(connection, 'SELECT order_id, sent_count, sent_by_count, amounts_differ, event_time FROM orders'),
    ).toEqual([
      {
        order_id: 'O1',
        sent_count: 3,
        sent_by_count: 1,
        amounts_differ: false,
        event_time: '2026-11-02T10:00:00.000Z',
      },
    ]);
    // Also where the repetition lies in the period asked for and the order outside the days around it.
    expect(await report(connection, { name: 'revenue', from: '2026-11-19', to: '2026-11-21' })).toEqual([]);
    expect(await query(connection, 'SELECT orders FROM sessions')).toEqual([{ orders: 1 }]);
  });

  test('browser plus backend in two segments that share their ids: the first received counts, the other completes it', async () => {
    await share(true);
    await given(
      { type: 'Search', at: '09:50', searchId: 'q' },
      { type: 'OrderCreated', at: '10:00', total: 100, lines: [{ ...lines[0], searchId: 'q' }], server: browser },
      {
        type: 'OrderCreated',
        at: '10:00',
        total: 101,
        lines,
        sessionId: undefined,
        anonymousId: 'backend',
        userId: 'u1',
        server: backend,
      },
    );
    expect(
      await query(
        connection,
        'SELECT total, segment, session_id, anonymous_id, user_id, lines[1].search_id AS search, sent_by_count, amounts_differ FROM orders',
      ),
    ).toEqual([
      {
        total: '101.0000',
        segment: 'backend',
        session_id: 's1',
        anonymous_id: 'backend',
        user_id: 'u1',
        search: 'q',
        sent_by_count: 2,
        amounts_differ: true,
      },
    ]);
    expect(await query(connection, 'SELECT line_total, search_id, line_number FROM order_lines')).toEqual([
      { line_total: '100.0000', search_id: 'q', line_number: 1 },
    ]);
    expect(await one('search_revenue')).toMatchObject({
      phrase: 'shoes',
      orders: 1,
      revenue: '100.0000',
      inferred_share: 0,
    });
    await share(false);
    expect(await one('revenue')).toMatchObject({ orders: 2, revenue: '201.0000' });
  });

  test('a bot repeats the order: it is not the one that counts', async () => {
    const bot = {
      receivedAt: '2026-11-02T09:00:00Z',
      userAgent: 'Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)',
    };
    await given({ type: 'OrderCreated', at: '09:00', total: 1, server: bot }, { type: 'OrderCreated', at: '10:00' });
    expect(await query(connection, 'SELECT total, sent_count FROM orders')).toEqual([
      { total: '100.0000', sent_count: 1 },
    ]);
  });

  test('several currencies are never added', async () => {
    await given(
      { type: 'OrderCreated', at: '10:00' },
      {
        type: 'OrderCreated',
        at: '10:10',
        orderId: 'O2',
        currency: 'SEK',
        total: 200,
        lines: [{ productId: 'P1', quantity: 1, unitPrice: 200 }],
      },
    );
    const rows = await report(connection, { name: 'revenue', ...PERIOD });
    expect(rows.map(({ currency, revenue }) => [currency, revenue])).toEqual([
      ['DKK', '100.0000'],
      ['SEK', '200.0000'],
    ]);
    const products = await report(connection, { name: 'product_revenue', ...PERIOD });
    expect(products.map(({ currency, share }) => [currency, share])).toEqual([
      ['SEK', 1],
      ['DKK', 1],
    ]);
    const days = await report(connection, { name: 'revenue_daily', ...PERIOD });
    expect(days.map(({ date, currency, orders }) => [date, currency, orders])).toEqual([
      ['2026-11-02', 'DKK', 1],
      ['2026-11-02', 'SEK', 1],
      ['2026-11-03', 'DKK', 0],
      ['2026-11-03', 'SEK', 0],
    ]);
  });

  test('an order without any search, click or cart', async () => {
    await given({ type: 'OrderCreated', at: '10:00' });
    expect(await query(connection, 'SELECT source, method, rule, click_event_id FROM attribution')).toEqual([
      { source: 'none', method: 'none', rule: null, click_event_id: null },
    ]);
    expect(await one('revenue_sources')).toMatchObject({ source: 'none', share: 1, given_share: 0 });
    expect(await report(connection, { name: 'search_revenue', ...PERIOD })).toEqual([]);
  });

  test('money is exact where doubles are not', async () => {
    const odd = [{ productId: 'P1', quantity: 3, unitPrice: 0.1 }];
    await given(
      ...[0, 1, 2].map((n): HandMade => ({
        type: 'OrderCreated',
        at: '10:00',
        orderId: `O${n}`,
        total: 0.1,
        lines: odd,
      })),
    );
    expect(await query(connection, 'SELECT sum(total) AS total, sum(goods_total) AS goods FROM orders')).toEqual([
      { total: '0.3000', goods: '0.9000' },
    ]);
  });
});

describe('days and visits', () => {
  test('a visit over midnight is one visit, its events count on their UTC days', async () => {
    await given(
      { type: 'Search', at: '2026-11-02T23:59:59.900Z', searchId: 'q', resultIds: ['P1'] },
      { type: 'ProductClicked', at: '2026-11-03T00:00:00Z' },
      { type: 'Search', at: '2026-11-03T00:01:00Z', phrase: 'boots' },
    );
    expect(await query(connection, 'SELECT date, events FROM sessions')).toEqual([{ date: '2026-11-02', events: 3 }]);
    const days = await report(connection, { name: 'search_daily', ...PERIOD });
    expect(
      days.map(({ date, searches, clicks, refinement_rate }) => [date, searches, clicks, refinement_rate]),
    ).toEqual([
      ['2026-11-02', 1, 1, 1],
      ['2026-11-03', 1, 0, 0],
    ]);
    expect(await one('search_overview', { from: '2026-11-03', to: '2026-11-04' })).toMatchObject({
      searches: 1,
      clicks: 0,
    });
  });

  test('daylight saving: days are UTC, whatever the zone of sender and reader', async () => {
    // Copenhagen put its clocks back at 01:00 UTC on 2026-10-25: 02:30 there happened twice.
    await given(
      { type: 'OrderCreated', at: '2026-10-25T02:30:00+02:00', orderId: 'A' },
      { type: 'OrderCreated', at: '2026-10-25T02:30:00+01:00', orderId: 'B' },
      { type: 'OrderCreated', at: '2026-10-26T00:30:00+01:00', orderId: 'C' },
    );
    const daily = { name: 'revenue_daily', from: '2026-10-25', to: '2026-10-26' };
    const utc = await report(connection, daily);
    expect(utc.map(({ date, orders }) => [date, orders])).toEqual([['2026-10-25', 3]]);
    await connection.run("SET TimeZone = 'Europe/Copenhagen'");
    expect(await report(connection, daily)).toEqual(utc);
    expect(await one('search_overview', { from: '2026-10-25', to: '2026-10-26' })).toMatchObject({ searches: 0 });
  });

  test('events without sessionId join the visit around them, or make their own after 30 minutes of silence', async () => {
    await given(
      { type: 'Search', at: '10:00' },
      { type: 'ProductClicked', at: '10:30', sessionId: undefined },
      { type: 'ProductClicked', at: '11:01', sessionId: undefined },
      { type: 'ProductClicked', at: '11:20', sessionId: undefined },
      { type: 'ProductClicked', at: '11:30', sessionId: 's2' },
      { type: 'ProductClicked', at: '15:00', sessionId: undefined },
    );
    expect(await query(connection, 'SELECT session_key, events FROM sessions ORDER BY started_at')).toEqual([
      { session_key: 's1', events: 2 },
      { session_key: 's2', events: 3 },
      { session_key: `a1@${Date.parse('2026-11-02T15:00:00Z')}`, events: 1 },
    ]);
  });

  test('an event with sessionId alone is the visitor of its session', async () => {
    await given({ type: 'Search', at: '10:00' }, { type: 'OrderCreated', at: '10:10', anonymousId: undefined });
    expect(await query(connection, 'SELECT DISTINCT visitor_id FROM activity')).toEqual([{ visitor_id: 'anon:a1' }]);
  });
});

test('bots are flagged, not counted', async () => {
  const bot = { userAgent: 'Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)' };
  await given(
    { type: 'Search', at: '10:00' },
    { type: 'Search', at: '10:01', sessionId: 's2', server: bot },
    // What a server key sends is no bot, whatever its User-Agent.
    { type: 'OrderCreated', at: '10:02', server: { ...bot, keyKind: 'server' } },
  );
  expect(await one('search_overview')).toMatchObject({ searches: 1 });
  expect(await one('revenue')).toMatchObject({ orders: 1 });
  expect(await query(connection, 'SELECT count(*) AS n FROM events')).toEqual([{ n: 2 }]);
  expect(await query(connection, 'SELECT is_bot FROM events_with_bots ORDER BY event_time')).toEqual([
    { is_bot: false },
    { is_bot: true },
    { is_bot: false },
  ]);
  expect(await report(connection, { name: 'events_daily', ...PERIOD })).toEqual([
    { date: '2026-11-02', type: 'OrderCreated', events: 1, bots: 0, sessions: 1 },
    { date: '2026-11-02', type: 'Search', events: 1, bots: 1, sessions: 1 },
  ]);
});

test('phrases that people mean the same are the same', async () => {
  await given(
    { type: 'Search', at: '10:00', phrase: '  Blå   Sko ' },
    { type: 'Search', at: '10:01', phrase: 'bla\u030A sko' },
    { type: 'Search', at: '10:02', phrase: '' },
  );
  const rows = await report(connection, { name: 'search_phrases', ...PERIOD });
  expect(rows.map(({ phrase, searches }) => [phrase, searches])).toEqual([
    ['blå sko', 2],
    ['', 1],
  ]);
});

test('a phrase that is searched less does not rise, whatever its share', async () => {
  const at = (time: string, phrase: string): HandMade => ({ type: 'Search', at: time, phrase });
  await given(
    ...['2026-11-01T10:00:00Z', '2026-11-01T11:00:00Z'].map((time) => at(time, 'shoes')),
    ...['10', '11', '12', '13'].map((hour) => at(`2026-11-01T${hour}:30:00Z`, 'boots')),
    at('10:00', 'shoes'),
  );
  const day = { from: '2026-11-02', to: '2026-11-03' };
  expect(await report(connection, { name: 'search_rising', ...day, parameters: { min_searches: 1 } })).toEqual([]);
});

test('a day that is not over is compared with the same hours of the day before', async () => {
  await given(
    { type: 'Search', at: '2026-11-01T08:00:00Z' },
    { type: 'Search', at: '2026-11-01T20:00:00Z' },
    { type: 'Search', at: '2026-11-01T07:00:00Z', phrase: 'boots' },
    { type: 'ProductClicked', at: '2026-11-01T08:01:00Z' },
    { type: 'ProductClicked', at: '2026-11-01T20:01:00Z' },
    { type: 'Search', at: '08:00' },
    { type: 'Search', at: '08:30' },
    { type: 'ProductClicked', at: '08:01' },
  );
  const day = { from: '2026-11-02', to: '2026-11-03' };
  const now = Date.parse('2026-11-02T09:00:00Z');
  const rising = { name: 'search_rising', ...day, parameters: { min_searches: 1 } };
  expect(await report(connection, rising, now)).toMatchObject([{ phrase: 'shoes', searches: 2, searches_before: 1 }]);
  expect(await report(connection, rising)).toEqual([]); // with the whole day before, it is no rise
  expect(await report(connection, { name: 'product_trend', ...day }, now)).toMatchObject([
    { product_id: 'P1', clicks: 1, clicks_before: 1, clicks_change: 0 },
  ]);
});

test('rejections count what was refused', async () => {
  await given();
  await connection.run(`INSERT INTO quarantine_all (received_at, code, key_id, segment, date)
    VALUES ('2026-11-02T10:00:00Z', 'field_range', 'k1', 'web', '2026-11-02'),
      ('2026-11-02T11:00:00Z', 'field_range', 'k2', 'web', '2026-11-02'), ('2026-11-09T00:00:00Z', 'field_type', 'k1', 'web', '2026-11-09')`);
  expect(await report(connection, { name: 'rejections', ...PERIOD })).toEqual([
    { date: '2026-11-02', code: 'field_range', events: 2, keys: 2, last_at: '2026-11-02T11:00:00.000Z' },
  ]);
});

test('products shown have a row each, with their place and their visit', async () => {
  const products = [{ productId: 'P2', position: 25 }, { productId: 'P1' }];
  await given(
    { type: 'ProductsShown', at: '10:00', products, searchId: 'q1', listId: 'l1', recommendationId: 'r1' },
    { type: 'ProductsShown', at: '10:01', recommendationId: 'r1', listId: 'l1', listName: 'Goes with it' },
    { type: 'ProductsShown', at: '10:02', listId: 'l1' },
    { type: 'ProductsShown', at: '10:03', server: { userAgent: 'Googlebot/2.1' } },
    { type: 'ProductsShown', at: '10:04', anonymousId: 'a2' },
  );
  const rows = await query(
    connection,
    `SELECT source, coalesce(search_key, recommendation_id, list_id) AS place, list_name, product_id, position, visitor_id
    FROM shown_products ORDER BY event_time, position NULLS LAST`,
  );
  expect(rows.map((row) => Object.values(row))).toEqual([
    ['search', 'q1', null, 'P2', 25, 'anon:a1'],
    ['search', 'q1', null, 'P1', null, 'anon:a1'],
    ['recommendation', 'r1', 'Goes with it', 'P1', 1, 'anon:a1'],
    ['list', 'l1', null, 'P1', 1, 'anon:a1'],
    ['none', null, null, 'P1', 1, 'anon:a2'],
  ]);
});

test('an order and its lines keep what the shop wants to keep with each', async () => {
  const line = { productId: 'P1', quantity: 1, unitPrice: 50 };
  await given({
    type: 'OrderCreated',
    at: '10:00',
    properties: { gift: true },
    lines: [{ ...line, properties: { engraving: 'Ida' } }, line],
    experiments: [
      { id: 'ranking', variant: 'b' },
      { id: 'banner', variant: 'a' },
    ],
  });
  expect(
    await query(
      connection,
      `SELECT properties, line_properties, list_filter(experiments, lambda one: one.id = 'ranking')[1].variant AS variant
      FROM order_lines ORDER BY line_number`,
    ),
  ).toEqual([
    { properties: '{"gift":true}', line_properties: '{"engraving":"Ida"}', variant: 'b' },
    { properties: '{"gift":true}', line_properties: null, variant: 'b' },
  ]);
});

describe('impressions, carts and checkouts', () => {
  const two = [
    { productId: 'P1', position: 3 },
    { productId: 'P2', position: 4 },
  ];

  test('an impression counts once in a place of a visit, and a click only there', async () => {
    await given(
      { type: 'Search', at: '09:59', searchId: 'q1', phrase: 'Sko' },
      { type: 'ProductsShown', at: '10:00', searchId: 'q1', products: two },
      { type: 'ProductsShown', at: '10:01', searchId: 'q1', products: [{ productId: 'P1', position: 1 }] },
      { type: 'ProductsShown', at: '10:02', listId: 'sale', products: [{ productId: 'P1' }] },
      { type: 'ProductsShown', at: '10:03', searchId: 'q1', sessionId: 's2', products: two },
      { type: 'ProductsShown', at: '10:04', searchId: 'before', products: two },
      { type: 'ProductClicked', at: '10:05', searchId: 'q1', productId: 'P1' },
      { type: 'ProductClicked', at: '10:06', listId: 'sale', productId: 'P2' },
    );
    expect(await report(connection, { name: 'product_impressions', ...PERIOD })).toMatchObject([
      { product_id: 'P1', shown: 4, clicked: 1, click_rate: 0.25, average_position: (1 + 3 + 3) / 3 },
      { product_id: 'P2', shown: 3, clicked: 0, click_rate: 0, average_position: 4 },
    ]);
    expect(
      await report(connection, { name: 'phrase_impressions', ...PERIOD, parameters: { phrase: ' SKO ' } }),
    ).toMatchObject([
      { phrase: 'sko', product_id: 'P1', shown: 2, clicked: 1, average_position: 2 },
      { phrase: 'sko', product_id: 'P2', shown: 2, clicked: 0, average_position: 4 },
    ]);
  });

  test('clicks that are not tracked are unknown, and so are removals', async () => {
    await given({ type: 'ProductsShown', at: '10:00' }, { type: 'ProductAddedToCart', at: '10:01', quantity: 2 });
    expect(await one('product_impressions')).toMatchObject({ shown: 1, clicked: null, click_rate: null });
    expect(await one('cart_changes')).toMatchObject({
      cart_adds: 1,
      visits: 1,
      removals: null,
      removal_rate_high: null,
    });
    await given({ type: 'ProductRemovedFromCart', at: '10:01' });
    expect(await one('cart_changes')).toMatchObject({
      cart_adds: null,
      visits: null,
      removals: 1,
      visits_removed: null,
    });
  });

  test('a step of the funnel that is not tracked is passed over', async () => {
    await given(
      { type: 'ProductClicked', at: '10:00' },
      { type: 'ProductAddedToCart', at: '10:01' },
      { type: 'OrderCreated', at: '10:02' },
      { type: 'OrderCreated', at: '10:03', sessionId: 's2', orderId: 'O2' }, // an order by telephone: no cart before
      { type: 'OrderCreated', at: '10:04', sessionId: 's3', orderId: 'O3', test: true },
    );
    const steps = async (): Promise<unknown[]> =>
      (await report(connection, { name: 'checkout_funnel', ...PERIOD })).map(Object.values);
    const rates = [expect.any(Number), expect.any(Number)];
    expect(await steps()).toEqual([
      [1, 'visit', 3, 3, null, null, null, 1],
      [2, 'product', 1, 1, 1 / 3, ...rates, 1 / 3],
      [3, 'cart', 1, 1, 1, ...rates, 1 / 3],
      [4, 'checkout', null, null, null, null, null, null],
      [5, 'order', 2, 1, 1, ...rates, 1 / 3],
    ]);
    await given();
    expect(await steps()).toEqual([
      [1, 'visit', 0, 0, null, null, null, null],
      ...['product', 'cart', 'checkout', 'order'].map((name, index) => [index + 2, name, ...Array(6).fill(null)]),
    ]);
  });
});

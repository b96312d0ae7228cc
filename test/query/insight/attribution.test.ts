import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { DuckDBConnection } from '@duckdb/node-api';
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

function given(...events: HandMade[]): Promise<void> {
  return storeDay(connection, events);
}

async function one(name: string, period = PERIOD): Promise<Row> {
  const rows = await report(connection, { name, ...period });
  expect(rows).toHaveLength(1);
  return rows[0]!;
}

describe('attribution', () => {
  const attribution = (): Promise<Row[]> =>
    query(
      connection,
      'SELECT kind, source, search_key, list_id, method, rule FROM attribution ORDER BY event_time, kind',
    );

  test('returns to the same search: one search, two clicks, the first decides the rank', async () => {
    await given(
      { type: 'Search', at: '10:00', searchId: 'q', resultIds: ['P1', 'P2'] },
      { type: 'ProductClicked', at: '10:01', searchId: 'q', productId: 'P2', position: 2 },
      { type: 'Search', at: '10:02', searchId: 'q', resultIds: ['P1', 'P2'] },
      { type: 'ProductClicked', at: '10:03', searchId: 'q', productId: 'P1', position: 1 },
    );
    expect(await one('search_overview')).toMatchObject({
      searches: 1,
      clicks: 2,
      clicked_searches: 1,
      ctr: 1,
      mrr: 0.5,
      ctr_at_1: 1,
    });
    expect(await query(connection, 'SELECT pages, clicks FROM search_outcomes')).toEqual([{ pages: 2, clicks: 2 }]);
    const positions = await report(connection, { name: 'search_positions', ...PERIOD });
    expect(positions.map(({ position, clicks, shown, clicked }) => [position, clicks, shown, clicked])).toEqual([
      [1, 1, 1, 1],
      [2, 1, 1, 1],
    ]);
  });

  test('pages of one search: positions count across pages', async () => {
    await given(
      { type: 'Search', at: '10:00', searchId: 'q', page: 1, pageSize: 2, resultIds: ['P1', 'P2'] },
      { type: 'Search', at: '10:01', searchId: 'q', page: 2, pageSize: 2, resultIds: ['P3'] },
      { type: 'Search', at: '10:02', searchId: 'r', page: 2, resultIds: ['P4'] },
    );
    expect(await query(connection, 'SELECT product_id, position FROM impressions ORDER BY position')).toEqual([
      { product_id: 'P1', position: 1 },
      { product_id: 'P2', position: 2 },
      { product_id: 'P3', position: 3 },
    ]);
  });

  test('a source that the sender inferred is no given one', async () => {
    await given(
      { type: 'ProductClicked', at: '10:00', productId: 'P1', searchId: 'q', inferred: true },
      { type: 'ProductAddedToCart', at: '10:01', productId: 'P1', recommendationId: 'also' },
      { type: 'ProductAddedToCart', at: '10:02', productId: 'P2', listId: 'sale', inferred: true },
    );
    expect(await attribution()).toEqual([
      { kind: 'click', source: 'search', search_key: 'q', list_id: null, method: 'inferred', rule: 'sender' },
      { kind: 'cart', source: 'recommendation', search_key: null, list_id: null, method: 'given', rule: null },
      { kind: 'cart', source: 'list', search_key: null, list_id: 'sale', method: 'inferred', rule: 'sender' },
    ]);
  });

  test('two tabs of one visit: each click belongs to the search that listed it', async () => {
    await given(
      { type: 'Search', at: '10:00', searchId: 'left', phrase: 'shoes', resultIds: ['P1', 'P2'] },
      { type: 'Search', at: '10:01', searchId: 'right', phrase: 'tents', resultIds: ['P8', 'P9'] },
      { type: 'ProductClicked', at: '10:02', productId: 'P1' },
      { type: 'ProductClicked', at: '10:03', productId: 'P9' },
      { type: 'ProductAddedToCart', at: '10:04', productId: 'P1' },
      { type: 'ProductClicked', at: '10:05', productId: 'P5' },
    );
    expect(await attribution()).toEqual([
      { kind: 'click', source: 'search', search_key: 'left', list_id: null, method: 'inferred', rule: 'listed' },
      { kind: 'click', source: 'search', search_key: 'right', list_id: null, method: 'inferred', rule: 'listed' },
      { kind: 'cart', source: 'search', search_key: 'left', list_id: null, method: 'inferred', rule: 'click' },
      { kind: 'click', source: 'none', search_key: null, list_id: null, method: 'none', rule: null },
    ]);
  });

  test('two tabs that count as two visits of one visitor', async () => {
    await given(
      { type: 'Search', at: '10:00', searchId: 'q', resultIds: ['P1'] },
      { type: 'ProductClicked', at: '10:01', sessionId: 's2' },
      { type: 'ProductAddedToCart', at: '10:02', sessionId: 's2' },
      { type: 'OrderCreated', at: '10:03', sessionId: 's3' },
    );
    expect((await attribution()).map(({ search_key, rule }) => [search_key, rule])).toEqual([
      ['q', 'listed'],
      ['q', 'click'],
      ['q', 'cart'],
    ]);
  });

  test('a search that sends no resultIds is taken for the next 30 minutes, one that does is not', async () => {
    await given(
      { type: 'Search', at: '10:00' },
      { type: 'ProductClicked', at: '10:30', productId: 'P1' },
      { type: 'ProductClicked', at: '10:31', productId: 'P2' },
      { type: 'Search', at: '11:00', resultIds: [] },
      { type: 'ProductClicked', at: '11:01', productId: 'P3' },
    );
    expect((await attribution()).map(({ method, rule }) => [method, rule])).toEqual([
      ['inferred', 'last_search'],
      ['none', null],
      ['none', null],
    ]);
  });

  test('a click that names its list is not taken for a search', async () => {
    await given(
      { type: 'Search', at: '10:00', searchId: 'q', resultIds: ['P1'] },
      { type: 'ProductClicked', at: '10:01', listId: 'sale' },
      { type: 'ProductClicked', at: '10:02', recommendationId: 'also', listId: 'sale' },
      { type: 'ProductAddedToCart', at: '10:03' },
    );
    expect((await attribution()).map(({ source, list_id, method }) => [source, list_id, method])).toEqual([
      ['list', 'sale', 'given'],
      ['recommendation', 'sale', 'given'],
      ['recommendation', 'sale', 'inferred'],
    ]);
    const lists = await report(connection, { name: 'list_funnel', ...PERIOD });
    expect(lists.map(({ source, list, carted }) => [source, list, carted])).toEqual([
      ['list', 'sale', 0],
      ['recommendation', 'also', 1],
    ]);
  });

  test('a cart add up to 7 days before the order, not more', async () => {
    const order = (at: string, orderId: string): HandMade => ({
      type: 'OrderCreated',
      at,
      orderId,
      sessionId: orderId,
    });
    await given(
      { type: 'Search', at: '10:00', searchId: 'q' },
      { type: 'ProductAddedToCart', at: '10:01', searchId: 'q' },
      order('2026-11-09T10:01:00Z', 'within'),
      order('2026-11-09T10:01:01Z', 'beyond'),
    );
    expect((await attribution()).slice(1).map(({ method, search_key }) => [method, search_key])).toEqual([
      ['inferred', 'q'],
      ['none', null],
    ]);
    // The order lies after the period: the search's numbers hold it all the same.
    expect(await one('search_overview', { from: '2026-11-02', to: '2026-11-03' })).toMatchObject({ purchase_rate: 1 });
  });

  test('a click without cart tracking leads to the order', async () => {
    await given(
      { type: 'Search', at: '10:00', searchId: 'q' },
      { type: 'ProductClicked', at: '10:01', searchId: 'q' },
      { type: 'OrderCreated', at: '10:30' },
    );
    expect((await attribution()).at(-1)).toMatchObject({
      kind: 'order_line',
      method: 'inferred',
      rule: 'click',
      search_key: 'q',
    });
    expect(await one('product_funnel')).toMatchObject({
      visits: 1,
      carted: null,
      bought: 1,
      order_rate: 1,
      cart_to_order_rate: null,
    });
  });

  test('from phone to desk: only the customer who agreed is the same visitor', async () => {
    const phone = { sessionId: 'p', anonymousId: 'phone' };
    const desk = { sessionId: 'd', anonymousId: 'desk' };
    const events = (personalization: boolean): HandMade[] => [
      { type: 'Search', at: '10:00', searchId: 'q', ...phone, userId: 'u', consent: { personalization } },
      { type: 'ProductClicked', at: '10:01', searchId: 'q', ...phone, userId: 'u', consent: { personalization } },
      { type: 'OrderCreated', at: '20:00', ...desk, userId: 'u', consent: { personalization } },
    ];
    await given(...events(true));
    expect((await attribution()).at(-1)).toMatchObject({ method: 'inferred', search_key: 'q' });
    await given(...events(false));
    expect((await attribution()).at(-1)).toMatchObject({ method: 'none', search_key: null });
  });
});

describe('identity and consent', () => {
  const yes = { consent: { personalization: true }, userId: 'u1' };

  test('consent withdrawn later undoes the link, in all reports', async () => {
    await given(
      { type: 'ProductClicked', at: '10:00', ...yes },
      { type: 'ProductClicked', at: '2026-11-20T10:00:00Z', consent: { personalization: false } },
    );
    expect(await report(connection, { name: 'identity_map', ...PERIOD })).toEqual([]);
    expect(await report(connection, { name: 'interactions', ...PERIOD })).toEqual([]);
  });

  test('consent that was never stated is no consent', async () => {
    await given({ type: 'ProductClicked', at: '10:00', userId: 'u1' });
    expect(await report(connection, { name: 'identity_map', ...PERIOD })).toEqual([]);
    expect(await report(connection, { name: 'interactions', ...PERIOD })).toEqual([]);
  });

  test('a shared device is the customer seen last', async () => {
    await given(
      { type: 'ProductClicked', at: '10:00', ...yes },
      { type: 'ProductClicked', at: '11:00', ...yes, userId: 'u2' },
    );
    const rows = await report(connection, { name: 'identity_map', ...PERIOD });
    expect(rows.map(({ user_id, is_current, users }) => [user_id, is_current, users])).toEqual([
      ['u2', true, 2],
      ['u1', false, 2],
    ]);
    expect(await report(connection, { name: 'interactions', ...PERIOD })).toMatchObject([
      { visitor_id: 'user:u2', clicks: 2 },
    ]);
  });
});

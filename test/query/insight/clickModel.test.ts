import { afterAll, beforeAll, expect, test } from 'vitest';
import type { DuckDBConnection } from '@duckdb/node-api';
import { createRandom } from '../../../scripts/shop/random.ts';
import { openDuckDb } from './eventTable.ts';
import { createViews, report, type Row } from './rows.ts';
import { PERIOD, storeDay, type HandMade } from './shopDay.ts';

let connection: DuckDBConnection;
let close: () => void;

beforeAll(async () => {
  ({ connection, close } = await openDuckDb());
  await storeDay(connection, []);
  await createViews(connection);
});
afterAll(() => close());

const ask = (name: string, parameters: Record<string, string | number>): Promise<Row[]> =>
  report(connection, { name, ...PERIOD, parameters });

const LOOKS = [1, 0.6, 0.3];
const ATTRACTS: Record<string, number> = { A: 0.6, B: 0.4, C: 0.1 };

/** Searches that show three products in any order, clicked as the model says. */
function* searched(count: number): Generator<HandMade> {
  const random = createRandom(22);
  for (let index = 0; index < count; index++) {
    // Mostly A, B, C: a plain click rate would mix the product with its place.
    const orders = random.chance(0.7)
      ? [['A', 'B', 'C']]
      : [
          ['C', 'B', 'A'],
          ['B', 'C', 'A'],
          ['C', 'A', 'B'],
        ];
    const resultIds = random.pick(orders);
    const own = { sessionId: `s${index}`, anonymousId: `a${index}`, searchId: `q${index}` };
    yield { type: 'Search', at: '10:00', ...own, resultIds, resultsCount: 3 };
    for (const [place, productId] of resultIds.entries())
      if (random.chance(LOOKS[place]! * ATTRACTS[productId]!))
        yield { type: 'ProductClicked', at: '10:01', ...own, productId, position: place + 1 };
  }
}

test('known looks and attractions are found again', async () => {
  await storeDay(connection, [...searched(6_000)]);
  const rows = await ask('judgments', { steps: 200 });
  expect(rows.map(({ product_id, grade }) => [product_id, grade])).toEqual([
    ['A', 3],
    ['B', 2],
    ['C', 0],
  ]);
  for (const { product_id, attractiveness } of rows)
    expect(Math.abs((attractiveness as number) - ATTRACTS[product_id as string]!)).toBeLessThan(0.04);
});

test('a product that was seldom looked at has no judgment, and its place no gain', async () => {
  const search = { type: 'Search', at: '10:00', resultIds: ['A', 'B'], resultsCount: 2 } as const;
  const click = { type: 'ProductClicked', at: '10:01', productId: 'A', position: 1 } as const;
  const of = (name: string): Partial<HandMade> => ({ sessionId: name, anonymousId: name, searchId: name });
  await storeDay(connection, [
    ...['1', '2', '3', '4'].flatMap((name) => [
      { ...search, ...of(name) },
      { ...click, ...of(name) },
    ]),
    { ...search, ...of('5'), resultIds: ['Z', 'A'] },
    // Without resultIds, what was seen counts.
    { type: 'Search', at: '10:00', ...of('6') },
    { type: 'ProductsShown', at: '10:00', ...of('6'), products: [{ productId: 'A', position: 1 }] },
  ]);
  const judged = await ask('judgments', { min_examined: 3 });
  expect(judged.map(({ product_id, shown, clicks }) => [product_id, shown, clicks])).toEqual([['A', 6, 4]]);
  const [day] = await ask('search_quality', { min_examined: 3 });
  // Five of the six have A in front, one in the second place.
  expect(day).toMatchObject({ searches: 6, judged_share: 6 / 11 });
  expect(day!.ndcg).toBeCloseTo((5 + 1 / Math.log2(3)) / 6, 9);
});

test('money is lost only by phrases that find nothing or that nobody clicks, as much as their like earns', async () => {
  const of = (name: string, phrase: string, more: Partial<HandMade> = {}): HandMade => ({
    type: 'Search',
    at: '10:00',
    sessionId: name,
    anonymousId: name,
    searchId: name,
    phrase,
    ...more,
  });
  const click = (name: string): HandMade => ({ ...of(name, ''), type: 'ProductClicked', phrase: undefined });
  const order = (name: string, total: number): HandMade => ({
    type: 'OrderCreated',
    at: '11:00',
    sessionId: name,
    anonymousId: name,
    orderId: name,
    total,
    lines: [{ productId: 'P1', quantity: 1, unitPrice: total, searchId: name }],
  });
  await storeDay(connection, [
    of('1', 'shoes'),
    click('1'),
    order('1', 90),
    of('2', 'shoes'),
    of('3', 'shoess', { resultsCount: 0 }),
    of('4', 'shoess', { resultsCount: 0 }),
    of('5', 'socks'),
    of('6', 'red shoes', { resultsCount: 0 }),
  ]);
  const rows = await ask('lost_money', { min_searches: 1 });
  expect(rows.map(({ phrase, reason, searches, lost }) => [phrase, reason, searches, lost])).toEqual([
    ['shoess', 'nothing_found', 2, 90],
    ['socks', 'not_clicked', 1, 45],
  ]); // of two words, nothing earned anything
});

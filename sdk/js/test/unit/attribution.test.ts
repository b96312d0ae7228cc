import { describe, expect, test } from 'vitest';
import type { Tracker } from '../../src/api.ts';
import { FakePage } from '../support/fakePage.ts';
import { FakeStorage } from '../support/fakeStorage.ts';
import { openShop, type Shop } from '../support/shop.ts';

const HOUR = 3_600_000;

async function delivered({ host, tracker, events }: Shop): Promise<Record<string, unknown>[]> {
  await tracker.flush();
  await host.settle();
  return events();
}

test('a search gives its id to later events of its products, and to no others', async () => {
  const shop = openShop({ page: new FakePage() });
  const { tracker } = shop;
  const searchId = tracker.search({ phrase: 'sko', resultsCount: 2, resultIds: ['A', 'B'] });
  tracker.productClicked({ productId: 'A', position: 1 });
  tracker.productClicked({ productId: 'X' });
  tracker.productAddedToCart({ productId: 'B', quantity: 1 });
  tracker.orderCreated({
    orderId: 'O-1',
    currency: 'DKK',
    total: 3,
    lines: ['A', 'X', 'B'].map((productId) => ({ productId, quantity: 1, unitPrice: 1 })),
  });
  const [search, clicked, other, added, order] = await delivered(shop);
  expect(search!.searchId).toBe(searchId);
  expect(clicked!.searchId).toBe(searchId);
  expect(other).not.toHaveProperty('searchId');
  expect(added!.searchId).toBe(searchId);
  expect((order!.lines as { searchId?: string }[]).map((line) => line.searchId)).toEqual([
    searchId,
    undefined,
    searchId,
  ]);
  expect(order).not.toHaveProperty('searchId');
});

test("the shop's own searchId is kept, on searches and on what follows", async () => {
  const shop = openShop({ page: new FakePage() });
  expect(shop.tracker.search({ phrase: 'sko', resultsCount: 1, resultIds: ['A'], searchId: 'S-1' })).toBe('S-1');
  shop.tracker.productClicked({ productId: 'A' });
  shop.tracker.productClicked({ productId: 'A', searchId: 'S-2' });
  expect((await delivered(shop)).map((event) => event.searchId)).toEqual(['S-1', 'S-1', 'S-2']);
});

test('the latest search that listed the product counts', async () => {
  const shop = openShop({ page: new FakePage() });
  shop.tracker.search({ phrase: 'sko', resultsCount: 1, resultIds: ['A'], searchId: 'S-1' });
  shop.tracker.search({ phrase: 'støvler', resultsCount: 1, resultIds: ['A', 'B'], searchId: 'S-2' });
  shop.tracker.search({ phrase: 'hat', resultsCount: 1, resultIds: ['C'], searchId: 'S-3' });
  shop.tracker.productClicked({ productId: 'A' });
  expect((await delivered(shop)).at(-1)!.searchId).toBe('S-2');
});

test('product pages, removals and checkouts have the source of what went before', async () => {
  const shop = openShop({ page: new FakePage(), experiments: [{ id: 'ranking', variant: 'b' }] });
  const { tracker } = shop;
  tracker.search({ phrase: 'sko', resultIds: ['A', 'B'], searchId: 'S-1' });
  tracker.productsShown({ products: [{ productId: 'A', position: 1 }], searchId: 'S-1' });
  tracker.productClicked({ productId: 'A' });
  tracker.productViewed({ productId: 'A' });
  tracker.productAddedToCart({ productId: 'A', quantity: 2 });
  tracker.search({ phrase: 'hat', resultIds: ['A'], searchId: 'S-2' });
  tracker.productClicked({ productId: 'A' });
  tracker.productViewed({ productId: 'A', experiments: [] });
  tracker.productRemovedFromCart({ productId: 'A', quantity: 1 });
  tracker.productViewed({ productId: 'C', listId: 'sale' });
  tracker.productAddedToCart({ productId: 'C', quantity: 1 });
  tracker.productViewed({ productId: 'B' });
  tracker.checkoutStarted({ lines: ['A', 'C', 'X'].map((productId) => ({ productId, quantity: 1, unitPrice: 1 })) });
  tracker.checkoutStarted({});
  const events = await delivered(shop);
  const source = ({ searchId, listId, inferred }: Record<string, unknown>): unknown => searchId ?? listId ?? inferred;
  expect(events.map((event) => [event.type, source(event)])).toEqual([
    ['Search', 'S-1'],
    ['ProductsShown', 'S-1'],
    ['ProductClicked', 'S-1'],
    ['ProductViewed', 'S-1'],
    ['ProductAddedToCart', 'S-1'],
    ['Search', 'S-2'],
    ['ProductClicked', 'S-2'],
    ['ProductViewed', 'S-2'],
    ['ProductRemovedFromCart', 'S-1'],
    ['ProductViewed', 'sale'],
    ['ProductAddedToCart', 'sale'],
    ['ProductViewed', 'S-1'],
    ['CheckoutStarted', undefined],
    ['CheckoutStarted', undefined],
  ]);
  expect(events[11]).toMatchObject({ productId: 'B', inferred: true });
  const { lines } = events.at(-2) as { lines: Record<string, unknown>[] };
  expect(lines.map(source)).toEqual(['S-1', 'sale', undefined]);
  expect(events.map(({ experiments }) => (experiments as object[])?.length)).toEqual(
    events.map((_, index) => (index === 7 ? 0 : 1)),
  );
});

test('lasts across pages, for the window', async () => {
  const storage = new FakeStorage();
  const first = openShop({ page: new FakePage({ storage }), attributionWindowMs: 2 * HOUR });
  first.tracker.search({ phrase: 'sko', resultsCount: 1, resultIds: ['A'], searchId: 'S-1' });
  const second = openShop({ page: new FakePage({ storage }), attributionWindowMs: 2 * HOUR });
  await second.host.advance(2 * HOUR - 1);
  second.tracker.productClicked({ productId: 'A' });
  await second.host.advance(1);
  second.tracker.productClicked({ productId: 'A' });
  await delivered(second);
  const clicks = second.events().filter(({ type }) => type === 'ProductClicked');
  expect(clicks.map((event) => event.searchId)).toEqual(['S-1', undefined]);
});

test('works before consent, within the page', async () => {
  const shop = openShop({ page: new FakePage(), waitForConsent: true });
  const searchId = shop.tracker.search({ phrase: 'sko', resultsCount: 1, resultIds: ['A'] });
  shop.tracker.productClicked({ productId: 'A' });
  shop.tracker.setConsent({ analytics: true });
  expect((await delivered(shop)).map((event) => event.searchId)).toEqual([searchId, searchId]);
});

test('keeps 40 searches of 200 products at most, so that the device is never filled', async () => {
  const storage = new FakeStorage();
  const shop = openShop({ page: new FakePage({ storage }) });
  for (let search = 0; search < 60; search++) {
    const resultIds = Array.from({ length: 500 }, (_, index) => `SKU-${search}-${index}`);
    shop.tracker.search({ phrase: 'sko', resultsCount: 500, resultIds, searchId: `S-${search}` });
  }
  expect(storage.getItem('spor.testtest.a')!.length).toBeLessThan(150_000);
  for (const productId of ['SKU-59-199', 'SKU-59-200', 'SKU-30-0', 'SKU-19-0'])
    shop.tracker.productClicked({ productId });
  const sent = await delivered(shop);
  const sizes = sent.flatMap(({ resultIds }) => (resultIds as string[] | undefined)?.length ?? []);
  expect(new Set(sizes)).toEqual(new Set([200])); // More would be cut by the receiver.
  const clicks = sent.filter(({ type }) => type === 'ProductClicked');
  expect(clicks.map((event) => event.searchId)).toEqual(['S-59', undefined, 'S-30', undefined]);
});

const line = (productId: string): { productId: string; quantity: number; unitPrice: number } => ({
  productId,
  quantity: 1,
  unitPrice: 1,
});
const order = (...productIds: string[]): Parameters<Tracker['orderCreated']>[0] => ({
  orderId: 'O-1',
  currency: 'DKK',
  total: productIds.length,
  lines: productIds.map(line),
});
const SOURCES = ['searchId', 'recommendationId', 'listId', 'inferred'];
const sourceOf = (item: object): object =>
  Object.fromEntries(Object.entries(item).filter(([name]) => SOURCES.includes(name)));
const show = (tracker: Tracker, searchId: string, ...resultIds: string[]): string =>
  tracker.search({ phrase: searchId, resultsCount: resultIds.length, resultIds, searchId });

describe('what led to a product goes from click to cart to line', () => {
  const journeys: { name: string; steps: (tracker: Tracker) => void; expected: object }[] = [
    {
      name: 'a later search that lists it too changes nothing',
      steps: (tracker) => {
        show(tracker, 'shoe', 'A');
        tracker.productClicked({ productId: 'A' });
        tracker.productAddedToCart({ productId: 'A', quantity: 1 });
        show(tracker, 'red', 'A');
      },
      expected: { searchId: 'shoe' },
    },
    {
      name: 'a click without a cart add does too',
      steps: (tracker) => {
        show(tracker, 'shoe', 'A');
        tracker.productClicked({ productId: 'A' });
        show(tracker, 'red', 'A');
      },
      expected: { searchId: 'shoe' },
    },
    {
      name: 'a later click wins for the next cart add',
      steps: (tracker) => {
        show(tracker, 'shoe', 'A');
        tracker.productClicked({ productId: 'A' });
        show(tracker, 'red', 'A');
        tracker.productClicked({ productId: 'A' });
        tracker.productAddedToCart({ productId: 'A', quantity: 1 });
      },
      expected: { searchId: 'red' },
    },
    {
      name: 'what was carted wins over a later click',
      steps: (tracker) => {
        show(tracker, 'shoe', 'A');
        tracker.productClicked({ productId: 'A' });
        tracker.productAddedToCart({ productId: 'A', quantity: 1 });
        show(tracker, 'red', 'A');
        tracker.productClicked({ productId: 'A' });
      },
      expected: { searchId: 'shoe' },
    },
    {
      name: 'a recommendation that the click names, though a search lists it',
      steps: (tracker) => {
        show(tracker, 'shoe', 'A');
        tracker.productClicked({ productId: 'A', recommendationId: 'also-bought' });
        tracker.productAddedToCart({ productId: 'A', quantity: 1 });
      },
      expected: { recommendationId: 'also-bought' },
    },
    {
      name: 'a list that the cart add names, though a search was clicked',
      steps: (tracker) => {
        show(tracker, 'shoe', 'A');
        tracker.productClicked({ productId: 'A' });
        tracker.productAddedToCart({ productId: 'A', quantity: 1, listId: 'wishlist' });
      },
      expected: { listId: 'wishlist' },
    },
    {
      name: 'never clicked nor carted: the latest search, inferred',
      steps: (tracker) => {
        show(tracker, 'shoe', 'A');
        show(tracker, 'red', 'A');
      },
      expected: { searchId: 'red', inferred: true },
    },
    {
      name: 'carted from the list without a click: inferred, and so is the line',
      steps: (tracker) => {
        show(tracker, 'shoe', 'A');
        tracker.productAddedToCart({ productId: 'A', quantity: 1 });
        show(tracker, 'red', 'A');
      },
      expected: { searchId: 'shoe', inferred: true },
    },
    { name: 'unknown to all searches: nothing', steps: (tracker) => show(tracker, 'shoe', 'B'), expected: {} },
  ];

  test.each(journeys)('$name', async ({ steps, expected }) => {
    const shop = openShop({ page: new FakePage() });
    steps(shop.tracker);
    shop.tracker.orderCreated(order('A'));
    const sent = await delivered(shop);
    expect(sourceOf((sent.at(-1)!.lines as object[])[0]!)).toEqual(expected);
  });

  test('a line that names its source keeps it, and no other field is added', async () => {
    const shop = openShop({ page: new FakePage() });
    show(shop.tracker, 'shoe', 'A');
    const lines = [{ ...line('A'), searchId: 'own' }] as never;
    shop.tracker.orderCreated({ ...order('A'), lines });
    expect((await delivered(shop)).at(-1)!.lines).toEqual(lines);
  });

  test.each([5, 6.9])('on another day, %d days later', async (days) => {
    const storage = new FakeStorage();
    const first = openShop({ page: new FakePage({ storage }) });
    show(first.tracker, 'shoe', 'A');
    first.tracker.productClicked({ productId: 'A' });
    const second = openShop({ page: new FakePage({ storage }) });
    await second.host.advance(days * 24 * HOUR);
    show(second.tracker, 'red', 'A');
    second.tracker.orderCreated(order('A'));
    expect(sourceOf(((await delivered(second)).at(-1)!.lines as object[])[0]!)).toEqual({ searchId: 'shoe' });
  });

  test('each tab for itself: page, then tab, then device', async () => {
    const storage = new FakeStorage();
    const [left, right] = [new FakeStorage(), new FakeStorage()];
    const open = (tab: FakeStorage): Shop => openShop({ page: new FakePage({ storage, tab }) });
    const results = open(left);
    show(results.tracker, 'shoe', 'A');
    const other = open(right);
    show(other.tracker, 'red', 'A');
    results.tracker.productClicked({ productId: 'A', position: 4 });
    other.tracker.productClicked({ productId: 'A', position: 1 });
    const [product, otherProduct, fresh] = [open(left), open(right), open(new FakeStorage())];
    [product, otherProduct, fresh].forEach(({ tracker }, index) =>
      tracker.productAddedToCart({ productId: 'A', quantity: index + 1 }),
    );
    const sent = await delivered(results); // A tab sends the events of all.
    const clicks = sent.filter(({ type }) => type === 'ProductClicked');
    expect(clicks.map(({ position, searchId }) => [position, searchId])).toEqual(
      expect.arrayContaining([
        [1, 'red'],
        [4, 'shoe'],
      ]),
    );
    const carts = sent.filter(({ type }) => type === 'ProductAddedToCart');
    expect(carts.map(({ quantity, searchId }) => [quantity, searchId])).toEqual(
      expect.arrayContaining([
        [1, 'shoe'],
        [2, 'red'],
        [3, 'red'],
      ]),
    );
  });

  test('not from a search of another segment', async () => {
    const storage = new FakeStorage();
    const open = (segment: string): Shop =>
      openShop({ page: new FakePage({ storage }), segment, instrumentationKey: `ik_12345678${segment}` });
    show(open('dk').tracker, 'sko', 'A');
    const se = open('se');
    se.tracker.productClicked({ productId: 'A' });
    expect(sourceOf((await delivered(se)).at(-1)!)).toEqual({});
  });

  test.each([-50, 50])('not from a search of a clock that was off by %d years', async (years) => {
    const storage = new FakeStorage();
    const first = openShop({ page: new FakePage({ storage }) });
    first.host.wallShift = years * 365 * 24 * HOUR;
    const off = openShop({ page: new FakePage({ storage }), host: first.host });
    show(off.tracker, 'shoe', 'A');
    const later = openShop({ page: new FakePage({ storage }) });
    later.tracker.productClicked({ productId: 'A' });
    const click = (await delivered(later)).find(({ type }) => type === 'ProductClicked')!;
    expect(sourceOf(click)).toEqual({});
  });
});

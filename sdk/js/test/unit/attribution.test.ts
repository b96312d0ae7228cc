import { expect, test } from 'vitest';
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

test('keeps 30 searches of 200 products at most, so that the device is never filled', async () => {
  const storage = new FakeStorage();
  const shop = openShop({ page: new FakePage({ storage }) });
  for (let search = 0; search < 50; search++) {
    const resultIds = Array.from({ length: 500 }, (_, index) => `SKU-${search}-${index}`);
    shop.tracker.search({ phrase: 'sko', resultsCount: 500, resultIds, searchId: `S-${search}` });
  }
  expect(storage.getItem('spor.testtest.a')!.length).toBeLessThan(120_000);
  for (const productId of ['SKU-49-199', 'SKU-49-200', 'SKU-20-0', 'SKU-19-0'])
    shop.tracker.productClicked({ productId });
  const sent = await delivered(shop);
  const sizes = sent.flatMap(({ resultIds }) => (resultIds as string[] | undefined)?.length ?? []);
  expect(new Set(sizes)).toEqual(new Set([200])); // More would be refused.
  const clicks = sent.filter(({ type }) => type === 'ProductClicked');
  expect(clicks.map((event) => event.searchId)).toEqual(['S-49', undefined, 'S-20', undefined]);
});

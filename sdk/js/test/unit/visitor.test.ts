import { describe, expect, test } from 'vitest';
import { FakePage } from '../support/fakePage.ts';
import { FakeStorage } from '../support/fakeStorage.ts';
import { openShop, type Shop } from '../support/shop.ts';

const MINUTE = 60_000;

async function click({ host, tracker, events }: Shop): Promise<Record<string, unknown>> {
  tracker.productClicked({ productId: 'A' });
  await tracker.flush();
  await host.settle();
  return events().at(-1)!;
}

describe('session', () => {
  test('lasts while events are less than 30 minutes apart, then a new one begins', async () => {
    const shop = openShop({ page: new FakePage() });
    const first = await click(shop);
    await shop.host.advance(29 * MINUTE);
    const second = await click(shop);
    await shop.host.advance(29 * MINUTE);
    const third = await click(shop);
    await shop.host.advance(30 * MINUTE);
    const fourth = await click(shop);
    expect([second.sessionId, third.sessionId]).toEqual([first.sessionId, first.sessionId]);
    expect(fourth.sessionId).not.toBe(first.sessionId);
    expect(fourth.anonymousId).toBe(first.anonymousId);
  });

  test.each([-50, 50])('does not go on from a clock that was off by %d years', async (years) => {
    const storage = new FakeStorage();
    const page = new FakePage({ storage });
    const virtual = openShop({ page }).host;
    virtual.wallShift = years * 365 * 24 * 60 * MINUTE;
    const off = await click(openShop({ page, host: virtual }));
    const right = await click(openShop({ page: new FakePage({ storage }) }));
    expect(right.sessionId).not.toBe(off.sessionId);
    expect(right.anonymousId).toBe(off.anonymousId);
  });

  test('is shared by pages and tabs of the shop', async () => {
    const storage = new FakeStorage();
    const first = await click(openShop({ page: new FakePage({ storage }) }));
    const second = await click(openShop({ page: new FakePage({ storage }) }));
    expect([second.sessionId, second.anonymousId]).toEqual([first.sessionId, first.anonymousId]);
  });

  test('lives in memory where nothing can be stored', async () => {
    const shop = openShop({ page: new FakePage({ storage: 'forbidden' }) });
    const [first, second] = [await click(shop), await click(shop)];
    expect([second.sessionId, second.anonymousId]).toEqual([first.sessionId, first.anonymousId]);
  });

  test('does not end because the storage is full', async () => {
    const shop = openShop({ page: new FakePage({ storage: new FakeStorage(10) }) });
    const first = await click(shop);
    await shop.host.advance(20 * MINUTE);
    const second = await click(shop);
    await shop.host.advance(20 * MINUTE);
    const third = await click(shop);
    expect([second.sessionId, third.sessionId]).toEqual([first.sessionId, first.sessionId]);
  });
});

describe('reset', () => {
  test('begins another visitor without user and searches; queued events stay', async () => {
    const shop = openShop({ page: new FakePage() });
    shop.tracker.identify('customer-1');
    shop.tracker.search({ phrase: 'sko', resultsCount: 1, resultIds: ['A'] });
    shop.tracker.reset();
    const after = await click(shop);
    const [search] = shop.events();
    expect(search).toMatchObject({ type: 'Search', userId: 'customer-1' });
    expect(after.anonymousId).not.toBe(search!.anonymousId);
    expect(after.sessionId).not.toBe(search!.sessionId);
    expect(after).not.toHaveProperty('userId');
    expect(after).not.toHaveProperty('searchId');
  });
});

describe('identify', () => {
  test('marks later events until taken off, and is not stored', async () => {
    const storage = new FakeStorage();
    const shop = openShop({ page: new FakePage({ storage }) });
    const before = await click(shop);
    shop.tracker.identify('customer-1');
    const during = await click(shop);
    shop.tracker.identify(null);
    const after = await click(shop);
    expect([before.userId, during.userId, after.userId]).toEqual([undefined, 'customer-1', undefined]);
    expect(JSON.stringify(storage)).not.toContain('customer-1');
  });

  test('marks a waiting event with who it was then', async () => {
    const { host, tracker, events } = openShop({ page: new FakePage(), waitForConsent: true });
    tracker.identify('customer-1');
    tracker.productClicked({ productId: 'A' });
    tracker.identify();
    tracker.setConsent({ analytics: true });
    await host.advance(MINUTE);
    expect(events()[0]!.userId).toBe('customer-1');
  });
});

test('a backend that gives ids of its own gets no others, and no attribution across visitors', async () => {
  const { host, tracker, events } = openShop();
  tracker.search({ phrase: 'sko', resultsCount: 1, resultIds: ['A'], anonymousId: 'visitor-1' });
  tracker.productClicked({ productId: 'A', anonymousId: 'visitor-2' });
  tracker.orderCreated({
    orderId: 'O-1',
    currency: 'DKK',
    total: 1,
    lines: [{ productId: 'A', quantity: 1, unitPrice: 1 }],
    sessionId: 'visit-3',
    timestamp: '2026-11-23T09:00:00Z',
  });
  await host.advance(MINUTE);
  const [search, clicked, order] = events();
  expect(search).toMatchObject({ anonymousId: 'visitor-1' });
  expect(search).not.toHaveProperty('sessionId');
  expect(clicked).not.toHaveProperty('searchId');
  expect(order).toMatchObject({ sessionId: 'visit-3', timestamp: '2026-11-23T09:00:00Z' });
  expect(order).not.toHaveProperty('anonymousId');
});

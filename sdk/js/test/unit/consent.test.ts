import { describe, expect, test } from 'vitest';
import { FakePage } from '../support/fakePage.ts';
import { FakeStorage } from '../support/fakeStorage.ts';
import { openShop } from '../support/shop.ts';

const MINUTE = 60_000;

describe('before consent', () => {
  test('nothing is stored or sent, and events wait with their true times', async () => {
    const storage = new FakeStorage();
    const { host, tracker, events } = openShop({ page: new FakePage({ storage }), waitForConsent: true });
    tracker.productClicked({ productId: 'SKU-1' });
    await host.advance(10 * MINUTE);
    tracker.productClicked({ productId: 'SKU-2' });
    await tracker.flush();
    expect(Object.keys(storage)).toEqual([]);
    expect(host.requests).toEqual([]);
    expect(tracker.ids()).toEqual({});
    expect(tracker.stats().queued).toBe(2);

    tracker.setConsent({ analytics: true, personalization: false });
    await host.advance(MINUTE);
    const times = events().map((event) => Date.parse(event.timestamp as string) - host.wallStart);
    expect(times).toEqual([0, 10 * MINUTE]);
    expect(events().map(({ consent }) => consent)).toEqual([
      { analytics: true, personalization: false },
      { analytics: true, personalization: false },
    ]);
  });

  test('an event waits as it was when tracked, whatever becomes of the object', async () => {
    const { host, tracker, events } = openShop({ waitForConsent: true });
    const order = {
      orderId: 'O-1',
      currency: 'DKK',
      total: 10,
      lines: [{ productId: 'A', quantity: 1, unitPrice: 10 }],
    };
    const properties = { gift: true };
    tracker.orderCreated({ ...order, properties });
    order.lines[0]!.productId = 'B';
    properties.gift = false;
    tracker.setConsent({ analytics: true });
    await host.advance(MINUTE);
    expect(events()[0]).toMatchObject({ lines: [{ productId: 'A' }], properties: { gift: true } });
  });

  test('no more wait than the queue may hold, oldest dropped and counted', () => {
    const { tracker, drops } = openShop({ waitForConsent: true, maxQueueEvents: 2 });
    for (const productId of ['A', 'B', 'C']) tracker.productClicked({ productId });
    expect(drops).toMatchObject([{ reason: 'overflow', event: { productId: 'A' } }]);
    expect(tracker.stats()).toEqual({ queued: 2, dropped: { overflow: 1 } });
  });

  test('a closing tracker gives up what waits', () => {
    const { tracker, drops } = openShop({ waitForConsent: true });
    tracker.productClicked({ productId: 'A' });
    void tracker.close();
    expect(drops).toMatchObject([{ reason: 'consent' }]);
  });

  test('a leaving page sends nothing', async () => {
    const page = new FakePage();
    const { host, tracker } = openShop({ page, waitForConsent: true });
    tracker.productClicked({ productId: 'A' });
    page.fire('pagehide');
    await host.settle();
    expect(host.requests).toEqual([]);
  });
});

describe('a refusal', () => {
  test('discards what waits and takes nothing more', async () => {
    const { host, tracker, drops } = openShop({ waitForConsent: true });
    tracker.productClicked({ productId: 'A' });
    tracker.setConsent({ analytics: false });
    tracker.productClicked({ productId: 'B' });
    await host.advance(MINUTE);
    expect(host.requests).toEqual([]);
    expect(drops.map(({ reason, event }) => [reason, event.productId])).toEqual([
      ['consent', 'A'],
      ['consent', 'B'],
    ]);
  });

  test('clears the device of what an earlier consent stored, and of nothing else', async () => {
    const storage = new FakeStorage();
    storage.setItem('cart', 'the shop’s own');
    const { host, tracker, drops } = openShop({ page: new FakePage({ storage }) });
    tracker.search({ phrase: 'sko', resultsCount: 1, resultIds: ['A'] });
    expect(Object.keys(storage).length).toBeGreaterThan(1);
    tracker.setConsent({ analytics: false });
    expect(Object.keys(storage)).toEqual(['cart']);
    expect(drops).toMatchObject([{ reason: 'consent', event: { type: 'Search' } }]);

    // Also on a later page, which had not asked yet.
    storage.setItem('spor.testtest.s', '["visitor","session",1]');
    openShop({ page: new FakePage({ storage }), waitForConsent: true }).tracker.setConsent({ analytics: false });
    expect(Object.keys(storage)).toEqual(['cart']);
    await host.advance(MINUTE);
  });

  test('can be taken back, as another visitor', async () => {
    const { host, tracker, events } = openShop({ page: new FakePage() });
    const { anonymousId } = tracker.ids();
    tracker.setConsent({ analytics: false });
    tracker.setConsent({ analytics: true });
    tracker.productClicked({ productId: 'A' });
    await host.advance(MINUTE);
    expect(events()).toMatchObject([{ productId: 'A', consent: { analytics: true } }]);
    expect(events()[0]!.anonymousId).not.toBe(anonymousId);
  });
});

describe('privacy signals', () => {
  test.each([{ globalPrivacyControl: true }, { doNotTrack: '1' }])('%j is a refusal', async (signal) => {
    const { host, tracker, drops } = openShop({ page: new FakePage({ navigator: { language: 'da', ...signal } }) });
    tracker.productClicked({ productId: 'A' });
    await host.advance(MINUTE);
    expect(host.requests).toEqual([]);
    expect(drops).toMatchObject([{ reason: 'consent' }]);

    // What the visitor tells this shop is more specific than what the browser tells all.
    tracker.setConsent({ analytics: true });
    tracker.productClicked({ productId: 'B' });
    await host.advance(MINUTE);
    expect(host.requests).toHaveLength(1);
  });

  test('are ignored when the shop decides so', async () => {
    const page = new FakePage({ navigator: { language: 'da', globalPrivacyControl: true } });
    const { host, tracker } = openShop({ page, respectPrivacySignals: false });
    tracker.productClicked({ productId: 'A' });
    await host.advance(MINUTE);
    expect(host.requests).toHaveLength(1);
  });

  test('"unspecified" and "0" are none', async () => {
    const page = new FakePage({ navigator: { language: 'da', globalPrivacyControl: false, doNotTrack: '0' } });
    const { host, tracker } = openShop({ page });
    tracker.productClicked({ productId: 'A' });
    await host.advance(MINUTE);
    expect(host.requests).toHaveLength(1);
  });
});

test.each([
  { given: true, released: true },
  { given: { analytics: true }, released: true },
  { given: false, released: false },
  { given: { personalization: true }, released: false },
  { given: undefined, released: false },
])('setConsent($given) releases: $released', async ({ given, released }) => {
  const { host, tracker } = openShop({ waitForConsent: true });
  tracker.productClicked({ productId: 'A' });
  tracker.setConsent(given as boolean);
  await host.advance(MINUTE);
  expect(host.requests).toHaveLength(released ? 1 : 0);
});

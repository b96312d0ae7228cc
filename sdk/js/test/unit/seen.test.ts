import { describe, expect, test } from 'vitest';
import { FakePage } from '../support/fakePage.ts';
import { FakeStorage } from '../support/fakeStorage.ts';
import { openShop } from '../support/shop.ts';

const MINUTE = 60_000;

describe('a page that the browser prerenders', () => {
  test('is no visit: nothing is stored or sent, and closing it says so', async () => {
    const storage = new FakeStorage();
    const page = new FakePage({ storage });
    page.document.prerendering = true;
    const { host, tracker, drops } = openShop({ page });
    tracker.search({ phrase: 'sko', resultsCount: 1, resultIds: ['A'] });
    await host.advance(MINUTE);
    page.fire('pagehide');
    await host.settle();
    expect(host.requests).toEqual([]);
    expect(JSON.stringify(storage)).not.toContain('sko');
    expect(tracker.stats().queued).toBe(1);
    void tracker.close();
    expect(drops).toMatchObject([{ reason: 'unseen', event: { type: 'Search' } }]);
  });

  test('goes on when it is opened, with the true times', async () => {
    const page = new FakePage();
    page.document.prerendering = true;
    const { host, tracker, events } = openShop({ page });
    tracker.search({ phrase: 'sko', resultsCount: 1, resultIds: ['A'] });
    await host.advance(MINUTE);
    page.document.prerendering = false;
    page.fire('prerenderingchange');
    tracker.productClicked({ productId: 'A' });
    await host.advance(MINUTE);
    expect(events().map(({ type }) => type)).toEqual(['Search', 'ProductClicked']);
    expect(events()[0]!.timestamp).toBe('2026-11-23T10:00:00.000Z');
    expect(events()[1]!.searchId).toBe(events()[0]!.searchId);
  });
});

describe('a frame', () => {
  const parent = {};

  test.each([
    { innerWidth: 0, innerHeight: 0 },
    { innerWidth: 1, innerHeight: 1 },
    { innerWidth: 800, innerHeight: 0 },
  ])('of no room is no visit: %j', async (size) => {
    const { host, tracker } = openShop({ page: new FakePage({ frame: { parent, ...size } }) });
    tracker.productClicked({ productId: 'A' });
    await host.advance(MINUTE);
    expect(host.requests).toEqual([]);
  });

  test('that is shown goes on with its next event', async () => {
    const frame = { parent, innerWidth: 0, innerHeight: 0 };
    const { host, tracker, events } = openShop({ page: new FakePage({ frame }) });
    tracker.productClicked({ productId: 'A' });
    Object.assign(host.host, { innerWidth: 300, innerHeight: 200 });
    tracker.productClicked({ productId: 'B' });
    await host.advance(MINUTE);
    expect(events().map(({ productId }) => productId)).toEqual(['A', 'B']);
  });

  test('of some room is a page like any other', async () => {
    const frame = { parent, innerWidth: 300, innerHeight: 200 };
    const { host, tracker, events } = openShop({ page: new FakePage({ frame }) });
    tracker.productClicked({ productId: 'A' });
    await host.advance(MINUTE);
    expect(events()).toHaveLength(1);
  });
});

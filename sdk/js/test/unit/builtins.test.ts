import { describe, expect, onTestFinished, test, vi } from 'vitest';
import type { Host } from '../../src/host.ts';
import { FakePage } from '../support/fakePage.ts';
import { openShop, type Shop } from '../support/shop.ts';
import { accepted, VirtualHost } from '../support/virtualHost.ts';

const MINUTE = 60_000;
const UUID7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** Changes a built-in until the test ends. */
function change(object: object, name: string, value: unknown): void {
  const before = Object.getOwnPropertyDescriptor(object, name);
  Object.defineProperty(object, name, { value, configurable: true, writable: true, enumerable: true });
  onTestFinished(() => {
    if (before) Object.defineProperty(object, name, before);
    else Reflect.deleteProperty(object, name);
  });
}

function mute(): void {
  const report = vi.spyOn(console, 'error').mockImplementation(() => undefined);
  onTestFinished(() => report.mockRestore());
}

function visit({ tracker }: Shop): void {
  tracker.search({ phrase: 'sko', resultsCount: 2, resultIds: ['A', 'B'] });
  tracker.productClicked({ productId: 'A', position: 1, properties: { at: new Date(0), list: [1, { two: 2 }] } });
  const lines = [{ productId: 'A', quantity: 1, unitPrice: 9.5 }];
  tracker.orderCreated({ orderId: 'O-1', currency: 'DKK', total: 9.5, lines });
}

describe('toJSON of a page changes nothing of an event', () => {
  test.each([
    { of: 'lists', object: Array.prototype },
    { of: 'all objects', object: Object.prototype },
  ])('$of', async ({ object }) => {
    const shop = openShop({ page: new FakePage() });
    change(object, 'toJSON', () => 'of the page');
    visit(shop);
    await shop.host.settle();
    Reflect.deleteProperty(object, 'toJSON');
    await shop.host.advance(MINUTE);
    expect(shop.events()).toMatchObject([
      { resultIds: ['A', 'B'] },
      { productId: 'A', properties: { at: '1970-01-01T00:00:00.000Z', list: [1, { two: 2 }] } },
      { lines: [{ productId: 'A', quantity: 1, unitPrice: 9.5 }] },
    ]);
    expect(shop.drops).toEqual([]);
  });
});

const throwing: () => never = () => {
  throw new Error('of the page');
};

describe('a built-in that the page has broken never throws into the page', () => {
  const HOST: { name: string; part: Partial<Host> }[] = [
    { name: 'fetch throws', part: { fetch: throwing } },
    { name: 'fetch answers nothing', part: { fetch: (() => undefined) as never } },
    { name: 'fetch answers something else', part: { fetch: (() => Promise.resolve({ status: 202 })) as never } },
    { name: 'setTimeout throws', part: { setTimeout: throwing } },
    { name: 'clearTimeout throws', part: { clearTimeout: throwing } },
    { name: 'Date.now throws', part: { Date: { now: throwing } } },
    { name: 'Date.now is no number', part: { Date: { now: () => NaN } } },
    { name: 'crypto throws', part: { crypto: { getRandomValues: throwing } } },
    { name: 'crypto does nothing', part: { crypto: { getRandomValues: (numbers) => numbers } } },
    { name: 'addEventListener throws', part: { addEventListener: throwing } },
    { name: 'navigator is gone', part: { navigator: undefined as never } },
    { name: 'localStorage is something else', part: { localStorage: 5 as never, sessionStorage: null as never } },
  ];

  test.each(HOST)('$name', async ({ part }) => {
    mute();
    const virtual = new VirtualHost({ page: new FakePage(), answer: ({ body }) => accepted(body.events.length) });
    for (const [name, value] of Object.entries(part)) Object.defineProperty(virtual.host, name, { value });
    const shop = openShop({ host: virtual });
    visit(shop);
    shop.tracker.identify('x');
    shop.tracker.setConsent(true);
    shop.tracker.reset();
    shop.tracker.ids();
    shop.tracker.stats();
    await shop.tracker.flush();
    virtual.elapsed += MINUTE;
    await virtual.settle();
    void shop.tracker.close();
    for (const event of shop.events()) expect(event.eventId).toMatch(UUID7);
    const ids = new Set(shop.events().map(({ eventId }) => eventId));
    expect(ids.size).toBeLessThanOrEqual(3);
  });

  test.each([
    { name: 'JSON.stringify throws', object: JSON, member: 'stringify', value: throwing },
    { name: 'JSON.stringify answers nothing', object: JSON, member: 'stringify', value: () => undefined },
    { name: 'JSON.parse throws', object: JSON, member: 'parse', value: throwing },
    { name: 'Math.random is constant', object: Math, member: 'random', value: () => 4 },
    { name: 'console.error throws', object: console, member: 'error', value: throwing },
    { name: 'toISOString throws', object: Date.prototype, member: 'toISOString', value: throwing },
    { name: 'TextEncoder is gone', object: globalThis, member: 'TextEncoder', value: undefined },
  ] as { name: string; object: object; member: string; value: unknown }[])(
    '$name',
    async ({ object, member, value }) => {
      mute();
      const shop = openShop({ page: new FakePage() });
      change(object, member, value);
      visit(shop);
      shop.tracker.setConsent(true);
      shop.tracker.reset();
      expect(shop.tracker.stats()).toBeTruthy();
      await shop.host.settle();
    },
  );
});

test('ids differ though the page’s crypto does nothing', () => {
  const virtual = new VirtualHost({ page: new FakePage(), answer: ({ body }) => accepted(body.events.length) });
  virtual.host.crypto = { getRandomValues: (numbers) => numbers };
  const visitors = Array.from({ length: 20 }, () => {
    const host = Object.defineProperties({} as Host, Object.getOwnPropertyDescriptors(virtual.host));
    Object.defineProperty(host, 'localStorage', { value: undefined });
    return openShop({ host: Object.assign(Object.create(virtual) as VirtualHost, { host }) }).tracker.ids().anonymousId;
  });
  expect(new Set(visitors).size).toBe(20);
});

test('fields of all objects, as old libraries add them, are in no event', async () => {
  change(Object.prototype, 'extra', 5);
  const shop = openShop({ page: new FakePage() });
  visit(shop);
  await shop.host.advance(MINUTE);
  for (const event of shop.events()) expect(Object.keys(event)).not.toContain('extra');
  expect(shop.events()).toHaveLength(3);
});

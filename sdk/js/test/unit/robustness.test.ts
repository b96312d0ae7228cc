import fc from 'fast-check';
import { describe, expect, onTestFinished, test, vi, type MockInstance } from 'vitest';
import type { Tracker } from '../../src/api.ts';
import { FakePage } from '../support/fakePage.ts';
import { openShop } from '../support/shop.ts';
import { accepted, VirtualHost } from '../support/virtualHost.ts';

const MINUTE = 60_000;
const METHODS = ['productClicked', 'productAddedToCart', 'orderCreated', 'search'] as const satisfies (keyof Tracker)[];

/** Mutes the page's console, and tells what was written to it. */
function muteConsole(): MockInstance {
  const report = vi.spyOn(console, 'error').mockImplementation(() => undefined);
  onTestFinished(() => report.mockRestore());
  return report;
}

test('no method throws, whatever it is given', () => {
  muteConsole();
  const anything = fc.anything({
    withBigInt: true,
    withDate: true,
    withMap: true,
    withSet: true,
    withSparseArray: true,
  });
  fc.assert(
    fc.property(fc.constantFrom(...METHODS), anything, fc.boolean(), (method, value, waitForConsent) => {
      const { tracker } = openShop({ page: new FakePage(), waitForConsent });
      (tracker[method] as (fields: unknown) => string)(value);
      (tracker[method] as (fields: unknown) => string)({ lines: value, resultIds: value, properties: value });
      void tracker.close();
    }),
  );
});

test('an event that is no JSON is dropped and told', () => {
  const { tracker, drops } = openShop();
  const properties: Record<string, unknown> = {};
  properties.self = properties;
  tracker.productClicked({ productId: 'A', properties });
  expect(drops).toMatchObject([{ reason: 'invalid', event: { productId: 'A' } }]);
  expect(drops[0]!.message).toMatch(/circular/i);
});

test('a listener that throws disturbs nobody', async () => {
  const report = vi.spyOn(console, 'error').mockImplementation(() => undefined);
  try {
    const { host, tracker, sent } = openShop({ page: new FakePage() });
    tracker.on('sent', () => {
      throw new Error('of the shop');
    });
    const heard: unknown[] = [];
    tracker.on('sent', (notice) => heard.push(notice));
    tracker.productClicked({ productId: 'A' });
    await host.advance(MINUTE);
    expect(heard).toEqual(sent);
    expect(report).toHaveBeenCalledOnce();
    expect(tracker.stats().queued).toBe(0);
  } finally {
    report.mockRestore();
  }
});

test('the console hears of the first refusal of each code, with the place and the reason', async () => {
  const report = muteConsole();
  const verdict = { index: 0, code: 'field_range', path: '/quantity', message: 'must be > 0' };
  const { host, tracker, drops } = openShop({
    page: new FakePage(),
    answer: ({ body }) => accepted(body.events.length - 1, [verdict]),
  });
  for (const quantity of [0, -1]) tracker.productAddedToCart({ productId: 'A', quantity });
  await host.advance(MINUTE);
  tracker.productAddedToCart({ productId: 'A', quantity: -2 });
  await host.advance(MINUTE);
  expect(report.mock.calls).toEqual([['spor', 'drop', drops[0]]]);
  expect(drops[0]).toMatchObject({ reason: 'rejected', ...verdict, event: { quantity: 0 } });
  expect(drops).toHaveLength(2);
});

test('an answer of another than the receiver is named on the console once, and the events stay', async () => {
  const report = muteConsole();
  const answer = (): Response => new Response('<html>Blocked</html>', { status: 403 });
  const { host, tracker, errors } = openShop({ page: new FakePage(), answer });
  tracker.productClicked({ productId: 'A' });
  await host.advance(10 * MINUTE);
  expect(host.requests.length).toBeGreaterThan(5);
  expect(report.mock.calls).toEqual([['spor', 'error', errors[0]]]);
  expect(errors[0]).toMatchObject({ code: 'http_403', retryable: true });
  expect(tracker.stats()).toEqual({ queued: 1, dropped: {} });
});

test('with debug, the console has every notice', async () => {
  const log = vi.spyOn(console, 'log').mockImplementation(() => undefined);
  onTestFinished(() => log.mockRestore());
  const { host, tracker, sent } = openShop({ page: new FakePage(), debug: true });
  for (let index = 0; index < 2; index++) {
    tracker.productClicked({ productId: 'A' });
    await host.advance(MINUTE);
  }
  expect(log.mock.calls).toEqual(sent.map((notice) => ['spor', 'sent', notice]));
  expect(sent).toHaveLength(2);
});

test('a listener hears nothing after it stopped listening', async () => {
  const { host, tracker } = openShop();
  const heard: unknown[] = [];
  const stop = tracker.on('sent', (notice) => heard.push(notice));
  stop();
  tracker.productClicked({ productId: 'A' });
  await host.advance(MINUTE);
  expect(heard).toEqual([]);
});

test('a refused key is said on the console too, once', async () => {
  const report = vi.spyOn(console, 'error').mockImplementation(() => undefined);
  try {
    const { host, tracker, errors } = openShop({
      page: new FakePage(),
      answer: () => Response.json({ code: 'key_revoked', message: 'The key was revoked.' }, { status: 401 }),
    });
    for (let index = 0; index < 5; index++) {
      tracker.productClicked({ productId: 'A' });
      await host.advance(MINUTE);
    }
    expect(host.requests).toHaveLength(1);
    expect(errors).toEqual([{ code: 'key_revoked', message: 'The key was revoked.', status: 401, retryable: false }]);
    expect(report.mock.calls).toEqual([['spor', 'error', errors[0]]]);
  } finally {
    report.mockRestore();
  }
});

describe('answers that are no object', () => {
  test.each(['null', '5', '"x"', '[]', ''])('%s', async (text) => {
    const { host, tracker, sent } = openShop({ answer: () => new Response(text, { status: 202 }) });
    tracker.productClicked({ productId: 'A' });
    await host.advance(MINUTE);
    expect(tracker.stats().queued).toBe(1);
    expect(sent).toEqual([]);
  });
});

describe('a shop that configures wrongly gets no exception', () => {
  test('but the defaults, for options that are undefined or null', async () => {
    const wrong = { flushIntervalMs: undefined, allowQuery: null, maxBatchEvents: undefined } as object;
    const { host, tracker } = openShop({ page: new FakePage(), ...wrong });
    tracker.productClicked({ productId: 'A' });
    await host.advance(2000);
    expect(host.requests).toHaveLength(1);
  });

  test.each([{ instrumentationKey: undefined }, { endpoint: undefined }])('but a request, for %j', async (wrong) => {
    const { host, tracker } = openShop(wrong as object);
    tracker.productClicked({ productId: 'A' });
    await host.advance(2000);
    expect(host.requests).toHaveLength(1);
  });

  test('but a search with an id, for a searchId that is undefined', async () => {
    const { host, tracker, events } = openShop({ page: new FakePage() });
    const fields = { phrase: 'sko', resultsCount: 1, resultIds: ['A'], searchId: undefined, timestamp: undefined };
    const searchId = tracker.search(fields as never);
    tracker.productClicked({ productId: 'A' });
    await host.advance(2000);
    expect(events().map((event) => event.searchId)).toEqual([searchId, searchId]);
    expect(events()[0]!.timestamp).toBe('2026-11-23T10:00:00.000Z');
  });
});

test('an interval of 0 sends each event at once', async () => {
  const { host, tracker } = openShop({ flushIntervalMs: 0 });
  tracker.productClicked({ productId: 'A' });
  await host.advance(0);
  expect(host.requests).toHaveLength(1);
});

test('a page that leaves with several requests refused says so once all the same', async () => {
  const report = vi.spyOn(console, 'error').mockImplementation(() => undefined);
  try {
    const page = new FakePage();
    const { host, tracker, errors } = openShop({
      page,
      answer: () => Response.json({ code: 'key_unknown' }, { status: 401 }),
    });
    for (let index = 0; index < 8; index++) {
      tracker.productClicked({ productId: 'A', properties: { pad: 'x'.repeat(6000) } });
    }
    page.hide();
    await host.settle();
    expect(host.requests.length).toBeGreaterThan(1);
    expect(errors).toHaveLength(1);
  } finally {
    report.mockRestore();
  }
});

test('a host without crypto, as Node 18, still makes ids that are unique and of the right form', async () => {
  const virtual = new VirtualHost({ answer: ({ body }) => accepted(body.events.length) });
  delete virtual.host.crypto;
  const { host, tracker, events } = openShop({ host: virtual });
  for (let index = 0; index < 500; index++) tracker.productClicked({ productId: 'A' });
  await host.advance(MINUTE);
  const ids = events().map(({ eventId }) => eventId as string);
  expect(new Set(ids).size).toBe(500);
  for (const id of ids) expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});

test('a closed tracker leaves no listener and no timer behind', async () => {
  const page = new FakePage();
  const { host, tracker } = openShop({ page, answer: ({ body }) => accepted(body.events.length) });
  await tracker.close();
  page.fire('online');
  tracker.productClicked({ productId: 'A' });
  page.fire('pagehide');
  await host.advance(MINUTE);
  expect(host.requests).toEqual([]);
});

test('events survive any order of failures, each delivered with one id and in order', async () => {
  muteConsole();
  const statuses = fc.array(fc.constantFrom(202, 413, 429, 500, 503, 0), { maxLength: 12 });
  await fc.assert(
    fc.asyncProperty(statuses, fc.integer({ min: 1, max: 12 }), async (script, count) => {
      const delivered: unknown[] = [];
      const { host, tracker, drops } = openShop({
        page: new FakePage(),
        maxBatchEvents: 5,
        answer: ({ body }, index) => {
          const status = script[index] ?? 202;
          if (status === 0) throw new TypeError('Failed to fetch');
          if (status === 202) delivered.push(...body.events.map(({ eventId }) => eventId));
          if (status === 202) return accepted(body.events.length);
          return Response.json({ code: status === 413 ? 'body_too_large' : 'overloaded' }, { status });
        },
      });
      const ids = Array.from({ length: count }, (_, index) => tracker.productClicked({ productId: `A${index}` }));
      await host.advance(60 * MINUTE);
      const dropped = drops.map(({ event }) => event.eventId);
      expect(drops.every(({ reason }) => reason === 'too_large')).toBe(true);
      expect(delivered).toEqual(ids.filter((id) => !dropped.includes(id)));
      expect(tracker.stats().queued).toBe(0);
    }),
    { numRuns: 60 },
  );
});

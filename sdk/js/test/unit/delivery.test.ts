import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { gzip } from '../../src/gzip.ts';
import { FakePage } from '../support/fakePage.ts';
import { FakeStorage } from '../support/fakeStorage.ts';
import { openShop } from '../support/shop.ts';
import { accepted } from '../support/virtualHost.ts';

const MINUTE = 60_000;
const pad = (length: number): { pad: string } => ({ pad: 'x'.repeat(length) });

describe('requests', () => {
  test.each([
    'https://receiver.example',
    'https://receiver.example/',
    'https://receiver.example/api/events',
    'https://receiver.example/api/events/',
  ])('%s is an endpoint', async (endpoint) => {
    const { host, tracker } = openShop({ endpoint });
    tracker.productClicked({ productId: 'A' });
    await host.advance(MINUTE);
    expect(host.requests[0]!.url).toBe('https://receiver.example/api/events');
  });

  test('need no preflight and carry no cookies', async () => {
    const { host, tracker } = openShop({ page: new FakePage() });
    tracker.productClicked({ productId: 'A' });
    await host.advance(MINUTE);
    expect(host.requests[0]!.init).toMatchObject({
      method: 'POST',
      headers: { 'content-type': 'text/plain' },
      credentials: 'omit',
      keepalive: true,
    });
  });

  test('hold exactly what the schemas name', async () => {
    const page = new FakePage({ href: 'https://shop.dk/p?x=1', lang: 'da' });
    const { host, tracker, events } = openShop({ page, context: { channel: 'web' } });
    tracker.productClicked({ productId: 'A', context: { locale: 'en' } });
    await host.advance(MINUTE);
    expect(events()).toEqual([
      {
        eventId: expect.any(String),
        type: 'ProductClicked',
        timestamp: '2026-11-23T10:00:00.000Z',
        anonymousId: expect.any(String),
        sessionId: expect.any(String),
        productId: 'A',
        context: { url: 'https://shop.dk/p', channel: 'web', locale: 'en' },
      },
    ]);
  });

  test('are compressed when asked to and worth it, and say so', async () => {
    const { host, tracker } = openShop({ compress: gzip(1000) });
    tracker.productClicked({ productId: 'A' });
    await tracker.flush();
    await host.settle();
    tracker.productClicked({ productId: 'B', properties: pad(5000) });
    const flushed = tracker.flush();
    while (host.requests.length < 2) await host.settle();
    await flushed;
    const [small, large] = host.requests;
    expect(small!.init.headers).toEqual({ 'content-type': 'text/plain' });
    expect(large!.init.headers).toMatchObject({
      'content-encoding': 'gzip',
      'x-instrumentation-key': large!.body.instrumentationKey,
    });
    const plain = gunzipSync(new Uint8Array(large!.init.body as ArrayBuffer)).toString();
    expect(JSON.parse(plain)).toEqual(large!.body);
  });
});

describe('a page that ends', () => {
  test('sends what waits in requests that outlive it, within the budget all of them share, and keeps the rest', async () => {
    const page = new FakePage();
    const { host, tracker, events } = openShop({ page, answer: () => new Promise(() => undefined) });
    for (let index = 0; index < 30; index++) tracker.productClicked({ productId: `A${index}`, properties: pad(5000) });
    await host.settle();
    page.fire('pagehide');
    page.hide();
    await host.settle();
    const bytes = host.requests.reduce((sum, { init }) => sum + Buffer.byteLength(init.body as string), 0);
    expect(host.requests.every(({ init }) => init.keepalive)).toBe(true);
    expect(bytes).toBeLessThanOrEqual(62_000);
    expect(bytes).toBeGreaterThan(45_000);
    expect(new Set(events().map(({ eventId }) => eventId)).size).toBe(events().length);
    expect(tracker.stats().queued).toBe(30);
  });

  test('leaves what has no answer to the next page, with the same ids', async () => {
    const storage = new FakeStorage();
    const page = new FakePage({ storage });
    const first = openShop({ page, answer: () => new Promise(() => undefined) });
    const id = first.tracker.productClicked({ productId: 'A' });
    page.fire('pagehide');
    await first.host.settle();
    expect(first.host.requests).toHaveLength(1);

    const second = openShop({ page: new FakePage({ storage }) });
    await second.host.advance(MINUTE);
    expect(second.events().map(({ eventId }) => eventId)).toEqual([id]);
    expect(second.tracker.stats().queued).toBe(0);
  });

  test('that was only hidden hears the answer and goes on', async () => {
    const page = new FakePage();
    const { host, tracker, sent } = openShop({ page });
    const id = tracker.productClicked({ productId: 'A' });
    page.hide();
    await host.settle();
    expect(sent).toEqual([{ receiptId: 'mgq3x0-0-1-0', eventIds: [id] }]);
    tracker.productClicked({ productId: 'B' });
    await host.advance(MINUTE);
    expect(host.requests).toHaveLength(2);
  });

  test('does not send while the receiver asked to wait', async () => {
    const page = new FakePage();
    const { host, tracker } = openShop({
      page,
      answer: () => Response.json({ code: 'overloaded' }, { status: 503, headers: { 'retry-after': '30' } }),
    });
    tracker.productClicked({ productId: 'A' });
    await tracker.flush();
    await host.settle();
    page.fire('pagehide');
    await host.settle();
    expect(host.requests).toHaveLength(1);
  });

  test.each(['online', 'pageshow'])('that comes back (%s) sends at once, also during a backoff', async (name) => {
    const page = new FakePage();
    let down = true;
    const { host, tracker } = openShop({
      page,
      backoffBaseMs: 30_000,
      answer: ({ body }) => {
        if (down) throw new TypeError('Failed to fetch');
        return accepted(body.events.length);
      },
    });
    tracker.productClicked({ productId: 'A' });
    await tracker.flush();
    await host.settle();
    down = false;
    page.fire(name);
    await host.settle();
    expect(tracker.stats().queued).toBe(0);
    await host.advance(MINUTE);
    expect(host.requests).toHaveLength(2);
  });
});

describe('time', () => {
  test('a clock set back while the page is open changes neither order nor the distance to sentAt', async () => {
    const { host, tracker } = openShop({ page: new FakePage() });
    tracker.productClicked({ productId: 'A' });
    host.wallShift = -3_600_000;
    tracker.productClicked({ productId: 'B' });
    await host.advance(1000);
    tracker.productClicked({ productId: 'C' });
    await tracker.flush();
    await host.settle();
    const { events, sentAt } = host.requests[0]!.body;
    const times = [...events.map(({ timestamp }) => timestamp as string), sentAt].map((text) => Date.parse(text));
    expect(times).toEqual([0, 0, 1000, 1000].map((ms) => host.wallStart + ms));
    expect(events.map(({ productId }) => productId)).toEqual(['A', 'B', 'C']);
  });

  test('an event whose sending got no answer is given up after 23 hours, as it could count twice', async () => {
    const { host, tracker, drops } = openShop({
      page: new FakePage(),
      answer: () => {
        throw new TypeError('Failed to fetch');
      },
    });
    tracker.productClicked({ productId: 'A' });
    await host.advance(22 * 60 * MINUTE);
    expect(drops).toEqual([]);
    await host.advance(61 * MINUTE + MINUTE);
    expect(drops).toMatchObject([{ reason: 'unconfirmed', event: { productId: 'A' } }]);
  });

  test('a timer that fires early is set again, not lost', async () => {
    let first = true;
    const { host, tracker } = openShop({
      answer: ({ body }) => {
        if (!first) return accepted(body.events.length);
        first = false;
        return Response.json({ code: 'quota_exceeded' }, { status: 429, headers: { 'retry-after': '10' } });
      },
    });
    tracker.productClicked({ productId: 'A' });
    await tracker.flush();
    await host.settle();
    host.wallShift = -3; // As where timers and the clock disagree by some ms.
    await host.advance(MINUTE);
    expect(tracker.stats().queued).toBe(0);
  });
});

test('flushes during a request share the one that follows it', async () => {
  let answer = (): void => undefined;
  const { host, tracker } = openShop({
    answer: ({ body }) => new Promise((resolve) => (answer = () => resolve(accepted(body.events.length)))),
  });
  tracker.productClicked({ productId: 'A' });
  const flushes = [tracker.flush()];
  await host.settle();
  tracker.productClicked({ productId: 'B' });
  flushes.push(tracker.flush(), tracker.flush(), tracker.flush());
  await host.settle();
  expect(host.requests).toHaveLength(1);
  answer();
  await host.settle();
  expect(host.requests).toHaveLength(2);
  answer();
  await Promise.all(flushes);
  expect(host.requests).toHaveLength(2);
});

import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { openShop } from '../support/shop.ts';
import { accepted, VirtualHost } from '../support/virtualHost.ts';

const MINUTE = 60_000;
const order = (orderId: string): { orderId: string; currency: string; total: number; lines: never[] } => ({
  orderId,
  currency: 'DKK',
  total: 1,
  lines: [{ productId: 'A', quantity: 1, unitPrice: 1 }] as never[],
});

describe('outside a page', () => {
  test('five customers stay five: no ids are made up, nothing goes from one event to another', async () => {
    const { host, tracker, events } = openShop();
    tracker.search({ phrase: 'sko', resultsCount: 1, resultIds: ['A'], userId: 'anna', searchId: 'S-1' });
    tracker.productClicked({ productId: 'A', userId: 'anna', searchId: 'S-1' });
    for (const userId of ['bob', 'carl', 'dora']) tracker.orderCreated({ ...order(userId), userId });
    await host.advance(MINUTE);
    for (const event of events()) {
      expect(event).not.toHaveProperty('anonymousId');
      expect(event).not.toHaveProperty('sessionId');
      expect(event).not.toHaveProperty('consent');
    }
    expect(events().slice(2)).toMatchObject(
      ['bob', 'carl', 'dora'].map((userId) => ({ userId, lines: [{ productId: 'A', quantity: 1, unitPrice: 1 }] })),
    );
    expect(JSON.stringify(events().slice(2))).not.toContain('S-1');
    expect(tracker.ids()).toEqual({});
  });

  test('identify and setConsent speak of one person, and there is none', async () => {
    const { host, tracker, events } = openShop();
    tracker.identify('anna');
    tracker.setConsent({ analytics: true, personalization: true });
    tracker.setConsent(false);
    tracker.orderCreated({ ...order('1'), userId: 'bob' });
    tracker.orderCreated({ ...order('2'), anonymousId: 'carl' });
    await host.advance(MINUTE);
    expect(events().map(({ userId, anonymousId, consent }) => [userId, anonymousId, consent])).toEqual([
      ['bob', undefined, undefined],
      [undefined, 'carl', undefined],
    ]);
  });

  test('an event that names nobody is sent as told, and the console says so once', async () => {
    const report = vi.spyOn(console, 'error').mockImplementation(() => undefined);
    onTestFinished(() => report.mockRestore());
    const { host, tracker, events } = openShop();
    for (const id of ['1', '2', '3']) tracker.orderCreated(order(id));
    await host.advance(MINUTE);
    expect(events()).toHaveLength(3);
    expect(report.mock.calls).toEqual([
      ['spor', 'warning', { code: 'ids_missing', event: expect.objectContaining({ orderId: '1' }) }],
    ]);
  });

  test('requests name nothing that runtimes of the edge refuse', async () => {
    const { host, tracker } = openShop();
    tracker.orderCreated({ ...order('1'), userId: 'bob' });
    await host.advance(MINUTE);
    expect(host.requests[0]!.init).not.toHaveProperty('credentials');
    expect(host.requests[0]!.init).not.toHaveProperty('keepalive');
  });
});

describe('a worker', () => {
  test('may make a tracker while it loads: no timer, no randomness, no request', () => {
    const virtual = new VirtualHost({ answer: ({ body }) => accepted(body.events.length) });
    const forbidden = (name: string) => (): never => {
      throw new Error(`${name} in global scope`);
    };
    const setTimeout = virtual.host.setTimeout.bind(virtual.host);
    Object.assign(virtual.host, {
      setTimeout: forbidden('setTimeout'),
      fetch: forbidden('fetch'),
      crypto: { getRandomValues: forbidden('getRandomValues') },
      addEventListener: forbidden('addEventListener'),
    });
    const report = vi.spyOn(console, 'error');
    onTestFinished(() => report.mockRestore());
    const { tracker } = openShop({ host: virtual });
    expect(report).not.toHaveBeenCalled();
    Object.assign(virtual.host, { setTimeout });
    expect(tracker.stats().queued).toBe(0);
  });

  test('has a self and no parent, and is no hidden frame', async () => {
    const virtual = new VirtualHost({ answer: ({ body }) => accepted(body.events.length) });
    virtual.host.self = virtual.host;
    const { host, tracker, events } = openShop({ host: virtual });
    tracker.orderCreated({ ...order('1'), userId: 'bob' });
    await host.advance(MINUTE);
    expect(events()).toHaveLength(1);
  });

  test('that ended its timers still sends with the next event', async () => {
    const virtual = new VirtualHost({ answer: ({ body }) => accepted(body.events.length) });
    const setTimeout = virtual.host.setTimeout.bind(virtual.host);
    virtual.host.setTimeout = () => 1; // Of a request that has ended: it never runs.
    const { host, tracker, events } = openShop({ host: virtual });
    tracker.orderCreated({ ...order('1'), userId: 'bob' });
    virtual.host.setTimeout = setTimeout;
    await host.advance(MINUTE);
    expect(events()).toEqual([]);
    tracker.orderCreated({ ...order('2'), userId: 'bob' });
    await host.advance(MINUTE);
    expect(events().map(({ orderId }) => orderId)).toEqual(['1', '2']);
  });

  test('that ended a request without an answer sends again with the next flush', async () => {
    let lost = true;
    const { host, tracker, events } = openShop({
      answer: ({ body }) => (lost ? new Promise(() => undefined) : accepted(body.events.length)),
    });
    tracker.orderCreated({ ...order('1'), userId: 'bob' });
    void tracker.flush();
    await host.settle();
    lost = false;
    await host.advance(MINUTE);
    await tracker.flush();
    expect(events().map(({ orderId }) => orderId)).toEqual(['1', '1']);
    expect(tracker.stats().queued).toBe(0);
  });
});

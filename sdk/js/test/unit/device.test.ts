import { describe, expect, test } from 'vitest';
import { FakePage } from '../support/fakePage.ts';
import { FakeStorage } from '../support/fakeStorage.ts';
import { openShop } from '../support/shop.ts';
import { accepted, VirtualHost } from '../support/virtualHost.ts';

const MINUTE = 60_000;

describe.each([
  { name: 'full', storage: (): FakeStorage | 'forbidden' => new FakeStorage(20) },
  { name: 'forbidden', storage: (): FakeStorage | 'forbidden' => 'forbidden' },
])('a storage that is $name', ({ storage }) => {
  test('costs nothing but persistence', async () => {
    const { host, tracker, events, errors, drops } = openShop({ page: new FakePage({ storage: storage() }) });
    const ids = ['A', 'B', 'C'].map((productId) => tracker.productClicked({ productId }));
    await host.advance(MINUTE);
    expect(events().map(({ eventId }) => eventId)).toEqual(ids);
    expect([...errors, ...drops]).toEqual([]);
    expect(tracker.stats().queued).toBe(0);
  });
});

test('a storage that has room again takes what had to wait in memory', async () => {
  const storage = new FakeStorage(20);
  const { host, tracker } = openShop({
    page: new FakePage({ storage }),
    answer: () => {
      throw new TypeError('Failed to fetch');
    },
  });
  const id = tracker.productClicked({ productId: 'A' });
  expect(Object.keys(storage).filter((key) => key.endsWith(id))).toEqual([]);
  storage.grow();
  await host.advance(MINUTE);
  expect(Object.keys(storage).filter((key) => key.endsWith(id))).toHaveLength(1);
});

test('a shop that clears the storage, as on signing out, loses no event', async () => {
  const storage = new FakeStorage();
  const { host, tracker, events } = openShop({ page: new FakePage({ storage }) });
  await host.advance(MINUTE);
  const ids = [tracker.productClicked({ productId: 'A' })];
  storage.clear();
  ids.push(tracker.productClicked({ productId: 'B' }));
  await host.advance(MINUTE);
  expect(events().map(({ eventId }) => eventId)).toEqual(ids);
});

test('what others wrote under our names is not taken for events, and not lost on', async () => {
  const storage = new FakeStorage();
  storage.setItem('spor.testtest.q0190', 'no JSON');
  storage.setItem('spor.testtest.q0191', '{"not":"ours"}');
  storage.setItem('spor.testtest.s', 'no JSON');
  storage.setItem('spor.testtest.a', '"no list"');
  const { host, tracker, events, errors } = openShop({ page: new FakePage({ storage }) });
  tracker.productClicked({ productId: 'A' });
  await host.advance(MINUTE);
  expect(events().map(({ productId }) => productId)).toEqual(['A']);
  expect(errors).toEqual([]);
});

test('an event another tab has delivered is not counted as dropped', async () => {
  const storage = new FakeStorage();
  const first = openShop({ page: new FakePage({ storage }), answer: () => new Promise(() => undefined) });
  first.tracker.productClicked({ productId: 'A' });
  const second = openShop({ page: new FakePage({ storage }), answer: ({ body }) => accepted(body.events.length) });
  await second.host.advance(MINUTE);
  expect(second.tracker.stats().queued).toBe(0);
  await first.tracker.flush();
  expect(first.host.requests).toHaveLength(0);
  expect(first.tracker.stats()).toEqual({ queued: 0, dropped: {} });
});

describe('keys of one receiver', () => {
  const [OLD, NEW] = [{ instrumentationKey: 'ik_old_11111111' }, { instrumentationKey: 'ik_new_22222222' }];

  test('share visitor, searches and queue; an event is sent with its own key', async () => {
    const storage = new FakeStorage();
    const down = (): never => {
      throw new TypeError('Failed to fetch');
    };
    const before = openShop({ page: new FakePage({ storage }), ...OLD, answer: down });
    before.tracker.search({ phrase: 'sko', resultsCount: 1, resultIds: ['A'], searchId: 'S-1' });
    const after = openShop({ page: new FakePage({ storage }), ...NEW });
    expect(after.tracker.ids().anonymousId).toBe(before.tracker.ids().anonymousId);
    await after.host.advance(1);
    after.tracker.productClicked({ productId: 'A' });
    await after.host.advance(MINUTE);
    expect(after.host.requests.map(({ body }) => [body.instrumentationKey, body.events[0]!.type])).toEqual([
      [OLD.instrumentationKey, 'Search'],
      [NEW.instrumentationKey, 'ProductClicked'],
    ]);
    expect(after.events()[1]).toMatchObject({ searchId: 'S-1' });
  });

  test('an event of a key that is no more goes with its successor', async () => {
    const storage = new FakeStorage();
    const page = (): FakePage => new FakePage({ storage });
    const before = openShop({ page: page(), ...OLD, answer: () => new Promise(() => undefined) });
    before.tracker.productClicked({ productId: 'A' });
    const after = openShop({
      page: page(),
      ...NEW,
      answer: ({ body }) =>
        body.instrumentationKey === OLD.instrumentationKey
          ? Response.json({ code: 'key_revoked' }, { status: 401 })
          : accepted(body.events.length),
    });
    await after.host.advance(MINUTE);
    expect(after.sent).toHaveLength(1);
    expect(after.errors).toEqual([]);
    expect(after.tracker.stats().queued).toBe(0);
  });

  test('what an earlier version stored under the key is used on', async () => {
    const storage = new FakeStorage();
    storage.setItem('spor.11111111.s', '["visitor","session",1]');
    storage.setItem('spor.11111111.a', `[["S-1",${Date.UTC(2026, 10, 23, 9)},["A"]]]`);
    storage.setItem('spor.11111111.q0190', '[0,"{\\"eventId\\":\\"0190\\",\\"type\\":\\"Search\\"}"]');
    openShop({ page: new FakePage({ storage }), ...OLD });
    const rotated = openShop({ page: new FakePage({ storage }), ...NEW });
    rotated.tracker.productClicked({ productId: 'A' });
    await rotated.host.advance(MINUTE);
    expect(rotated.events()).toMatchObject([{ type: 'Search' }, { anonymousId: 'visitor', searchId: 'S-1' }]);
  });

  test('shops of other names, or of another receiver, share nothing', async () => {
    const storage = new FakeStorage();
    const one = openShop({ page: new FakePage({ storage }), ...OLD, segment: 'dk' });
    one.tracker.productClicked({ productId: 'A' });
    for (const options of [{ segment: 'se' }, {}, { segment: 'dk', endpoint: 'https://other.example' }]) {
      const other = openShop({ page: new FakePage({ storage }), ...NEW, ...options });
      await other.host.advance(MINUTE);
      expect(other.host.requests).toEqual([]);
    }
    await one.host.advance(MINUTE);
    expect(one.events()).toHaveLength(1);
  });

  test('a refusal clears what was stored under any of them, in the tab too', () => {
    const [storage, tab] = [new FakeStorage(), new FakeStorage()];
    storage.setItem('spor.99999999.s', '["visitor"]');
    storage.setItem('sport', 'of the shop');
    const before = openShop({ page: new FakePage({ storage, tab }), ...OLD });
    before.tracker.search({ phrase: 'private', resultsCount: 1, resultIds: ['A'] });
    openShop({ page: new FakePage({ storage, tab }), ...NEW }).tracker.setConsent(false);
    expect([Object.keys(storage), Object.keys(tab)]).toEqual([['sport'], []]);
  });
});

test.each([-50, 50])('an event that was sent by a clock off by %d years is not resent for years', async (years) => {
  const storage = new FakeStorage();
  const down = (): never => {
    throw new TypeError('Failed to fetch');
  };
  const off = new VirtualHost({ page: new FakePage({ storage }), answer: down });
  off.wallShift = years * 365 * 24 * 60 * MINUTE;
  const first = openShop({ host: off });
  first.tracker.productClicked({ productId: 'A' });
  await first.host.advance(MINUTE);
  const right = openShop({ page: new FakePage({ storage }) });
  await right.host.advance(MINUTE);
  expect(right.drops).toMatchObject([{ reason: 'unconfirmed' }]);
});

import { describe, expect, test } from 'vitest';
import { FakePage } from '../support/fakePage.ts';
import { FakeStorage } from '../support/fakeStorage.ts';
import { openShop } from '../support/shop.ts';
import { accepted } from '../support/virtualHost.ts';

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
  expect(Object.keys(storage)).toEqual([]);
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

test('trackers of different keys on one origin do not mix', async () => {
  const storage = new FakeStorage();
  const one = openShop({ page: new FakePage({ storage }), instrumentationKey: 'ik_11111111' });
  const two = openShop({ page: new FakePage({ storage }), instrumentationKey: 'ik_22222222' });
  one.tracker.productClicked({ productId: 'A' });
  await two.host.advance(MINUTE);
  expect(two.host.requests).toEqual([]);
  await one.host.advance(MINUTE);
  expect(one.events()).toHaveLength(1);
});

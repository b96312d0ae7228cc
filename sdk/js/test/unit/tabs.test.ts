import { describe, expect, test } from 'vitest';
import type { HostNavigator } from '../../src/host.ts';
import { FakePage } from '../support/fakePage.ts';
import { FakeStorage } from '../support/fakeStorage.ts';
import { openShop, type Shop } from '../support/shop.ts';
import { accepted, type Answerer } from '../support/virtualHost.ts';

const MINUTE = 60_000;

/** Web Locks of one browser, exclusive locks only. */
function createLocks(): NonNullable<HostNavigator['locks']> {
  const tails = new Map<string, Promise<unknown>>();
  return {
    request: (name, work) => {
      const turn = (tails.get(name) ?? Promise.resolve()).then(work);
      tails.set(
        name,
        turn.catch(() => undefined),
      );
      return turn;
    },
  };
}

function openTabs(
  navigator: HostNavigator,
  answer: Answerer,
): { tabs: Shop[]; pages: FakePage[]; storage: FakeStorage } {
  const storage = new FakeStorage();
  const pages = [0, 1].map(() => new FakePage({ storage, navigator }));
  return { tabs: pages.map((page) => openShop({ page, answer })), pages, storage };
}

describe('two tabs agree by Web Locks', () => {
  const navigator = (): HostNavigator => ({ language: 'da', locks: createLocks() });

  test('one sends what both tracked, once, in order', async () => {
    const { tabs, storage } = openTabs(navigator(), ({ body }) => accepted(body.events.length));
    const ids: string[] = [];
    for (let index = 0; index < 10; index++) {
      await Promise.all(tabs.map(({ host }) => host.advance(1)));
      ids.push(tabs[index % 2]!.tracker.productClicked({ productId: `A${index}` }));
    }
    await Promise.all(tabs.map(({ tracker }) => tracker.flush()));
    for (const { host } of tabs) await host.advance(MINUTE);
    const sent = tabs.flatMap(({ events }) => events().map(({ eventId }) => eventId));
    expect(sent).toEqual(ids);
    expect(tabs.map(({ tracker }) => tracker.stats().queued)).toEqual([0, 0]);
    expect(Object.keys(storage).filter((key) => key.includes('.q'))).toEqual([]);
  });

  test('only one has a request in flight', async () => {
    let inFlight = 0;
    let most = 0;
    const { tabs } = openTabs(navigator(), async ({ body }) => {
      most = Math.max(most, ++inFlight);
      await new Promise((resolve) => setTimeout(resolve, 5));
      inFlight--;
      return accepted(body.events.length);
    });
    for (const { tracker } of tabs) tracker.productClicked({ productId: 'A' });
    await Promise.all(tabs.map(({ tracker }) => tracker.flush()));
    expect(most).toBe(1);
  });

  test('a tab that goes away does not hold the other up', async () => {
    const { tabs, pages } = openTabs(navigator(), ({ body }) =>
      body.events.some(({ productId }) => productId === 'A') && tabs[1]!.events().length === 0
        ? new Promise(() => undefined)
        : accepted(body.events.length),
    );
    tabs[0]!.tracker.productClicked({ productId: 'A' });
    void tabs[0]!.tracker.flush();
    await tabs[0]!.host.settle();
    pages[0]!.fire('pagehide');
    await tabs[0]!.host.settle();
    await tabs[1]!.host.advance(1);
    tabs[1]!.tracker.productClicked({ productId: 'B' });
    await tabs[1]!.host.advance(MINUTE);
    expect(tabs[1]!.events().map(({ productId }) => productId)).toEqual(['A', 'B']);
  });
});

test('without Web Locks each tab sends, with the same ids, and nothing stays behind', async () => {
  const { tabs } = openTabs({ language: 'da' }, ({ body }) => accepted(body.events.length));
  const ids = tabs.map(({ tracker }, index) => tracker.productClicked({ productId: `A${index}` }));
  for (const { host } of tabs) await host.advance(MINUTE);
  const sent = tabs.flatMap(({ events }) => events().map(({ eventId }) => eventId));
  expect(new Set(sent)).toEqual(new Set(ids));
  expect(tabs.map(({ tracker }) => tracker.stats().queued)).toEqual([0, 0]);
});

test('locks that are refused, as in a sandboxed frame, are done without', async () => {
  const locks = { request: () => Promise.reject(new DOMException('denied', 'SecurityError')) };
  const shop = openShop({ page: new FakePage({ navigator: { language: 'da', locks }, storage: 'forbidden' }) });
  shop.tracker.productClicked({ productId: 'A' });
  await shop.host.advance(MINUTE);
  expect(shop.tracker.stats().queued).toBe(0);
});

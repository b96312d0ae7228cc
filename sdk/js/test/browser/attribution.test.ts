import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Page } from 'playwright-core';
import { until } from '../../../../test/support/until.ts';
import type { TrackerOptions } from '../../src/api.ts';
import type { Searches } from '../../src/searches.ts';
import { findChromium, launchBrowser, NO_CHROMIUM, type Browser } from '../support/chromium.ts';
import { startRecorder, type Recorder } from '../support/recorder.ts';
import { startShopServer, type ShopServer } from '../support/shopServer.ts';

declare global {
  var searches: Searches;
}

const HOUR = 3_600_000;
const executable = findChromium();

/** A visitor of a shop of its own: a host name and a key. */
interface Visitor {
  key: string;
  /** Open a page of the shop in a new tab, or in `tab`. */
  open: (options?: Partial<Omit<TrackerOptions, 'cookie'>>, tab?: Page) => Promise<Page>;
}

/** What a scenario leaves: the source of its last click, cart add or order line. */
interface Scenario {
  name: string;
  visit: (visitor: Visitor) => Promise<Page>;
  /** Searches that were told apart, by id. */
  searches?: number;
  expected: object;
}

/* Steps of a visit, each in a page. */
const show = (page: Page, searchId: string, ...resultIds: string[]): Promise<string> =>
  page.evaluate(
    ([searchId, resultIds]) =>
      globalThis.tracker.search({ phrase: searchId, resultsCount: resultIds.length, resultIds, searchId }),
    [searchId, resultIds] as const,
  );
/** Goes through the history; whether the browser had kept the page. On a busy machine it may decide not to. */
async function keptOn(page: Page, way: 'goBack' | 'goForward'): Promise<boolean> {
  await page[way]({ waitUntil: 'commit' });
  await page.waitForFunction(() => globalThis.restored !== undefined);
  return page.evaluate(() => globalThis.restored);
}
/** The results of a phrase, without an id of the shop's. */
const shown = (page: Page, phrase: string, number: number, ...resultIds: string[]): Promise<string> =>
  page.evaluate(
    ([phrase, page, resultIds]) =>
      globalThis.searches.shown({ phrase, page, pageSize: 2, resultsCount: 4, resultIds: [...resultIds] }),
    [phrase, number, resultIds] as const,
  );
const click = (page: Page, source: object = {}): Promise<string> =>
  page.evaluate((source) => globalThis.tracker.productClicked({ productId: 'A', position: 1, ...source }), source);
const add = (page: Page, source: object = {}): Promise<string> =>
  page.evaluate((source) => globalThis.tracker.productAddedToCart({ productId: 'A', quantity: 1, ...source }), source);
const order = (page: Page): Promise<string> =>
  page.evaluate(() => {
    const lines = [{ productId: 'A', quantity: 1, unitPrice: 1 }];
    return globalThis.tracker.orderCreated({ orderId: 'O-1', currency: 'DKK', total: 1, lines });
  });

const SCENARIOS: Scenario[] = [
  {
    name: 'a click on what the page shows',
    visit: async ({ open }) => {
      const page = await open();
      await show(page, 'shoe', 'A');
      await click(page);
      return page;
    },
    expected: { searchId: 'shoe' },
  },
  {
    name: 'click, cart and line on three pages',
    visit: async ({ open }) => {
      const page = await open();
      await show(page, 'shoe', 'A');
      await click(page);
      await open({}, page);
      await add(page);
      await open({}, page);
      await order(page);
      return page;
    },
    expected: { searchId: 'shoe' },
  },
  {
    name: 'a later search lists it too, and nothing is clicked',
    visit: async ({ open }) => {
      const page = await open();
      await show(page, 'shoe', 'A');
      await click(page);
      await add(page);
      await open({}, page);
      await show(page, 'red', 'A');
      await order(page);
      return page;
    },
    expected: { searchId: 'shoe' },
  },
  {
    name: 'the later search is clicked too, and carted again',
    visit: async ({ open }) => {
      const page = await open();
      await show(page, 'shoe', 'A');
      await click(page);
      await add(page);
      await show(page, 'red', 'A');
      await click(page);
      await add(page);
      await order(page);
      return page;
    },
    expected: { searchId: 'red' },
  },
  {
    name: 'two tabs: a click belongs to the list of its tab',
    visit: async ({ open }) => {
      const [left, right] = [await open(), await open()];
      await show(left, 'shoe', 'A');
      await show(right, 'red', 'A');
      await click(left, { position: 4 });
      await right.close();
      return left;
    },
    expected: { searchId: 'shoe', position: 4 },
  },
  {
    name: 'two tabs: so does a cart add on the next page',
    visit: async ({ open }) => {
      const [left, right] = [await open(), await open()];
      await show(left, 'shoe', 'A');
      await show(right, 'red', 'A');
      await click(left);
      await click(right);
      await open({}, left);
      await add(left);
      await right.close();
      return left;
    },
    expected: { searchId: 'shoe' },
  },
  {
    name: 'a product opened in a new tab',
    visit: async ({ open }) => {
      const page = await open();
      await show(page, 'shoe', 'A');
      await click(page);
      const product = await open();
      await add(product);
      await page.close();
      return product;
    },
    expected: { searchId: 'shoe' },
  },
  {
    name: 'back through the cache, after another search: the list shown again',
    visit: async ({ open }) => {
      const page = await open();
      do {
        await open({}, page);
        await show(page, 'shoe', 'A');
        await open({}, page);
        await show(page, 'red', 'A');
      } while (!(await keptOn(page, 'goBack')));
      await click(page);
      return page;
    },
    expected: { searchId: 'shoe' },
  },
  {
    name: 'back and forward through the cache',
    visit: async ({ open }) => {
      const page = await open();
      do {
        await open({}, page);
        await show(page, 'shoe', 'A');
        await open({}, page);
        await show(page, 'red', 'A');
      } while (!(await keptOn(page, 'goBack')) || !(await keptOn(page, 'goForward')));
      await click(page);
      return page;
    },
    expected: { searchId: 'red' },
  },
  {
    name: 'a reload, and a way back without the cache, are the same search',
    visit: async ({ open }) => {
      const page = await open();
      await shown(page, 'shoe', 1, 'A', 'B');
      await open({}, page);
      await shown(page, 'shoe', 1, 'A', 'B');
      await click(page);
      return page;
    },
    searches: 1,
    expected: { searchId: expect.any(String) },
  },
  {
    name: 'a further page is the same search, and its places count on',
    visit: async ({ open }) => {
      const page = await open();
      await shown(page, 'shoe', 1, 'B', 'C');
      await open({}, page);
      await shown(page, 'shoe', 2, 'D', 'A');
      await click(page, { position: 4 });
      return page;
    },
    searches: 1,
    expected: { searchId: expect.any(String), position: 4 },
  },
  {
    name: 'endless scrolling is one search, and its first page counts',
    visit: async ({ open }) => {
      const page = await open();
      await shown(page, 'shoe', 1, 'A', 'B');
      await shown(page, 'shoe', 2, 'C', 'D');
      await click(page);
      return page;
    },
    searches: 1,
    expected: { searchId: expect.any(String) },
  },
  {
    name: 'another phrase between two pages of one is another search',
    visit: async ({ open }) => {
      const page = await open();
      await shown(page, 'shoe', 1, 'A', 'B');
      await shown(page, 'red', 1, 'A');
      await shown(page, 'shoe', 1, 'A', 'B');
      await click(page);
      return page;
    },
    searches: 3,
    expected: { searchId: expect.any(String) },
  },
  {
    name: 'search as you type: seven answers are one search',
    visit: async ({ open }) => {
      const page = await open();
      await page.evaluate(() => {
        for (const phrase of ['s', 'sh', 'sho', 'shoe', 'shoes', 'shoes ', 'shoes r'])
          globalThis.searches.typed({ phrase, resultsCount: 1, resultIds: ['A'] });
      });
      await until(() => page.evaluate(() => globalThis.tracker.stats().queued > 0));
      await click(page);
      return page;
    },
    searches: 1,
    expected: { searchId: expect.any(String) },
  },
  {
    name: 'search as you type: a click comes before the pause',
    visit: async ({ open }) => {
      const page = await open();
      await page.evaluate(() => {
        const link = document.body.appendChild(document.createElement('a'));
        link.onclick = () => globalThis.tracker.productClicked({ productId: 'A' });
        for (const phrase of ['s', 'sh']) globalThis.searches.typed({ phrase, resultsCount: 1, resultIds: ['A'] });
        link.click();
      });
      return page;
    },
    searches: 1,
    expected: { searchId: expect.any(String) },
  },
  {
    name: 'a click that names its recommendation, though a search lists the product',
    visit: async ({ open }) => {
      const page = await open();
      await show(page, 'shoe', 'A');
      await click(page, { recommendationId: 'also' });
      await add(page);
      await order(page);
      return page;
    },
    expected: { recommendationId: 'also' },
  },
  {
    name: 'a click that names its list',
    visit: async ({ open }) => {
      const page = await open();
      await show(page, 'shoe', 'A');
      await click(page, { listId: 'sale' });
      await open({}, page);
      await order(page);
      return page;
    },
    expected: { listId: 'sale' },
  },
  {
    name: 'a cart add that names its search, though another was clicked',
    visit: async ({ open }) => {
      const page = await open();
      await show(page, 'shoe', 'A');
      await click(page);
      await add(page, { searchId: 'own' });
      await order(page);
      return page;
    },
    expected: { searchId: 'own' },
  },
  {
    name: 'a product never clicked nor carted: the latest list, inferred',
    visit: async ({ open }) => {
      const page = await open();
      await show(page, 'shoe', 'A');
      await show(page, 'red', 'A');
      await order(page);
      return page;
    },
    expected: { searchId: 'red', inferred: true },
  },
  {
    name: 'a click elsewhere on a product that a search listed: inferred',
    visit: async ({ open }) => {
      const page = await open();
      await show(page, 'shoe', 'A');
      await open({}, page);
      await click(page);
      return page;
    },
    expected: { searchId: 'shoe', inferred: true },
  },
  {
    name: 'a search in another segment is none here',
    visit: async ({ key, open }) => {
      const page = await open({ segment: 'dk', instrumentationKey: `${key}-dk-000001` });
      await show(page, 'shoe', 'A');
      await open({ segment: 'se' }, page);
      await order(page);
      return page;
    },
    expected: {},
  },
  {
    name: 'on another day, after another search',
    visit: async ({ open }) => {
      const page = await open();
      await show(page, 'shoe', 'A');
      await click(page);
      await add(page);
      await page.addInitScript((ms) => {
        const now = Date.now.bind(Date);
        Date.now = () => now() + ms;
      }, 26 * HOUR);
      await open({}, page);
      await show(page, 'red', 'A');
      await order(page);
      return page;
    },
    expected: { searchId: 'shoe' },
  },
  {
    name: 'a search of the day before is too old',
    visit: async ({ open }) => {
      const page = await open();
      await show(page, 'shoe', 'A');
      await page.addInitScript((ms) => {
        const now = Date.now.bind(Date);
        Date.now = () => now() + ms;
      }, 26 * HOUR);
      await open({}, page);
      await order(page);
      return page;
    },
    expected: {},
  },
  {
    name: 'after a key was rotated',
    visit: async ({ key, open }) => {
      const page = await open({ instrumentationKey: `${key}-before-0001` });
      await show(page, 'shoe', 'A');
      await click(page);
      await open({}, page);
      await order(page);
      return page;
    },
    expected: { searchId: 'shoe' },
  },
  {
    name: 'before the visitor has agreed, within the page',
    visit: async ({ open }) => {
      const page = await open({ waitForConsent: true });
      await show(page, 'shoe', 'A');
      await click(page);
      await page.evaluate(() => globalThis.tracker.setConsent(true));
      await order(page);
      return page;
    },
    expected: { searchId: 'shoe' },
  },
  {
    name: 'after a refusal nothing of before is known',
    visit: async ({ open }) => {
      const page = await open();
      await show(page, 'shoe', 'A');
      await click(page);
      await page.evaluate(() => {
        globalThis.tracker.setConsent(false);
        globalThis.tracker.setConsent(true);
      });
      await order(page);
      return page;
    },
    expected: {},
  },
];

describe.skipIf(!executable)(`attribution in Chromium${executable ? '' : ` (skipped: ${NO_CHROMIUM})`}`, () => {
  let recorder: Recorder;
  let browser: Browser;
  let shop: ShopServer;
  let visitors = 0;

  beforeAll(async () => {
    recorder = await startRecorder();
    browser = await launchBrowser(executable!);
    shop = await startShopServer(recorder.url);
  });

  afterAll(async () => {
    await browser?.close();
    await shop?.close();
    await recorder?.close();
  });

  const newVisitor = (): Visitor => {
    const number = ++visitors;
    const key = `ik_visitor_${number}`;
    return {
      key,
      open: async (options = {}, tab) => {
        const page = tab ?? (await browser.context.newPage());
        const url = new URL(`http://shop${number}.localhost:${shop.port}/`);
        const all = { endpoint: recorder.url, instrumentationKey: key, flushIntervalMs: 50, ...options };
        url.searchParams.set('options', JSON.stringify(all));
        url.searchParams.set('page', `${Math.random()}`);
        await page.goto(url.href);
        await page.waitForFunction(() => globalThis.searches !== undefined);
        return page;
      },
    };
  };

  test.each(SCENARIOS)('$name', async ({ visit, searches, expected }) => {
    const visitor = newVisitor();
    const page = await visit(visitor);
    await until(() => page.evaluate(() => globalThis.tracker.flush().then(() => !globalThis.tracker.stats().queued)));
    await page.close();
    const events = recorder.events(visitor.key);
    const last = events.at(-1)!;
    const item = (last.lines as object[] | undefined)?.[0] ?? last;
    const names = [
      'searchId',
      'recommendationId',
      'listId',
      'inferred',
      ...('position' in expected ? ['position'] : []),
    ];
    expect(Object.fromEntries(Object.entries(item).filter(([name]) => names.includes(name)))).toEqual(expected);
    const ids = new Set(events.filter(({ type }) => type === 'Search').map(({ searchId }) => searchId));
    const { searchId } = item as { searchId?: string };
    expect(searches === undefined || (ids.size === searches && searchId === [...ids].at(-1))).toBe(true);
  });

  test('a hidden frame is no visit, and becomes one when it is shown', async () => {
    const { key } = newVisitor();
    const page = await browser.context.newPage();
    await page.goto(`http://frames.localhost:${shop.port}/frame`);
    const options = JSON.stringify({ endpoint: recorder.url, instrumentationKey: key, flushIntervalMs: 50 });
    await page.evaluate((options) => {
      document.querySelector('iframe')!.src = `/?options=${encodeURIComponent(options)}`;
    }, options);
    await until(() => Promise.resolve(page.frames().length === 2));
    const frame = page.frames()[1]!;
    await frame.waitForFunction(() => globalThis.tracker !== undefined);
    await frame.evaluate(() => globalThis.tracker.productClicked({ productId: 'A' }));
    await frame.evaluate(() => globalThis.tracker.flush());
    expect(recorder.events(key)).toEqual([]);
    await page.evaluate(() => {
      document.querySelector('iframe')!.hidden = false;
    });
    await frame.waitForFunction(() => innerWidth > 0);
    await frame.evaluate(() => globalThis.tracker.productClicked({ productId: 'B' }));
    await until(() => Promise.resolve(recorder.events(key).length === 2));
    await page.close();
  });
});

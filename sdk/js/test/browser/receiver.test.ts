import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Page } from 'playwright-core';
import { secretHash } from '../../../../schemas/keys.ts';
import { runStack, type RunningStack } from '../../../../test/support/runningStack.ts';
import { untilStopped } from '../../../../test/support/stopped.ts';
import { until } from '../../../../test/support/until.ts';
import { serveDemo } from '../../demo/serve.ts';
import type { DropNotice, ErrorNotice, SentNotice, Tracker, TrackerOptions } from '../../src/api.ts';
import { createTracker } from '../../src/tracker.ts';
import { findChromium, launchBrowser, NO_CHROMIUM, type Browser } from '../support/chromium.ts';
import { openPrerenderingShop } from '../support/prerender.ts';
import { startShopServer, type ShopServer } from '../support/shopServer.ts';

/** What the shop's pages put on their window. */
declare global {
  var tracker: Tracker;
  var notices: { drop: DropNotice[]; error: ErrorNotice[]; sent: SentNotice[] };
  var violations: string[];
  var restored: boolean;
  var inlineRan: boolean | undefined;
  var clicks: (from: number, count: number, properties?: Record<string, unknown>) => string[];
}

const executable = findChromium();

/** A shop of its own tenant, and its rows in the lake. */
interface ShopKey {
  tenant: string;
  key: string;
}

describe.skipIf(!executable)(`in Chromium${executable ? '' : ` (skipped: ${NO_CHROMIUM})`}`, () => {
  let stack: RunningStack;
  let browser: Browser;
  let shop: ShopServer;
  /** Event ids each tenant's lake must hold, checked again at the end, when nothing more can come. */
  const expected = new Map<string, string[]>();

  beforeAll(async () => {
    stack = await runStack();
    browser = await launchBrowser(executable!);
    shop = await startShopServer(new URL(stack.stack.ingestUrl).origin);
  });

  afterAll(async () => {
    await browser?.close();
    await shop?.close();
    await stack?.close();
  });

  const newShop = async (tenant: string): Promise<ShopKey> => ({
    tenant,
    key: await stack.createKey(tenant, 'web', { kind: 'browser' }),
  });

  const open = async (
    { tenant, key }: ShopKey,
    options: Partial<Omit<TrackerOptions, 'cookie'>> & {
      gzipFrom?: number;
      cookie?: boolean;
      cookieDomain?: string;
    } = {},
    { path = '/', hostname = '127.0.0.1' } = {},
  ): Promise<Page> => {
    const page = await browser.context.newPage();
    const url = new URL(path, `http://${hostname}:${shop.port}`);
    // The shops share an origin and a receiver.
    const all = { endpoint: stack.stack.ingestUrl, instrumentationKey: key, segment: tenant, ...options };
    url.searchParams.set('options', JSON.stringify(all));
    await page.goto(url.href);
    await page.waitForFunction(() => globalThis.tracker !== undefined);
    return page;
  };

  const click = (page: Page, count: number, properties?: Record<string, unknown>): Promise<string[]> =>
    page.evaluate(([count, properties]) => globalThis.clicks(0, count, properties), [count, properties] as const);

  const rowsOf = async (tenant: string): Promise<string[]> => {
    const { rows } = await stack.ask(tenant, 'select event_id from events order by event_id');
    return rows.map(([id]) => id as string);
  };

  const expectInLake = async ({ tenant }: ShopKey, ids: string[]): Promise<void> => {
    const wanted = ids.toSorted();
    expected.set(tenant, wanted);
    await until(async () => (await rowsOf(tenant)).length >= wanted.length);
    expect(await rowsOf(tenant)).toEqual(wanted);
  };

  const queued = (page: Page): Promise<number> => page.evaluate(() => globalThis.tracker.stats().queued);

  test('a page closed at once after 30 events loses none', async () => {
    const shopKey = await newShop('closed');
    const page = await open(shopKey);
    const ids = await click(page, 30);
    await page.close();
    await expectInLake(shopKey, ids);
  });

  test('a page left for another at once after 30 events loses none', async () => {
    const shopKey = await newShop('left');
    const page = await open(shopKey);
    const ids = await page.evaluate((other) => {
      const ids = globalThis.clicks(0, 30);
      location.href = other;
      return ids;
    }, `http://127.0.0.1:${shop.port}/other`);
    await page.waitForURL('**/other');
    await expectInLake(shopKey, ids);
    await page.close();
  });

  test('a page that is prerendered and never shown is no visit, and one that is shown later is', async () => {
    const { tenant, key } = await newShop('prerendered');
    const prerendering = await openPrerenderingShop(executable!, {
      endpoint: stack.stack.ingestUrl,
      instrumentationKey: key,
    });
    try {
      const clicked = async (): Promise<unknown[]> =>
        (await stack.ask(tenant, 'select product_id, anonymous_id is not null from events_with_bots')).rows;
      await until(async () => (await clicked()).length > 0);
      expect(prerendering.prerendered).toEqual(new Set(['shown', 'hidden']));
      expect(await clicked()).toEqual([['shown', true]]);
    } finally {
      await prerendering.close();
    }
  });

  test('what is too much for a closing page is sent by the next one', async () => {
    const shopKey = await newShop('budget');
    const page = await open(shopKey);
    const ids = await click(page, 40, { pad: 'x'.repeat(5000) });
    await page.close();
    const next = await open(shopKey);
    await expectInLake(shopKey, ids);
    await until(async () => (await queued(next)) === 0);
    await next.close();
  });

  test('compressed requests, which need a preflight', async () => {
    const shopKey = await newShop('gzip');
    const page = await open(shopKey, { gzipFrom: 1000 });
    const request = page.waitForRequest((request) => request.method() === 'POST');
    const ids = await click(page, 50);
    expect((await request).headers()['content-encoding']).toBe('gzip');
    await expectInLake(shopKey, ids);
    await page.close();
  });

  test('offline, then online', async () => {
    const shopKey = await newShop('offline');
    const page = await open(shopKey);
    await browser.context.setOffline(true);
    const ids = await click(page, 20);
    await until(() => page.evaluate(() => globalThis.notices.error.length > 0));
    expect(await queued(page)).toBe(20);
    await browser.context.setOffline(false);
    await expectInLake(shopKey, ids);
    expect(await page.evaluate(() => globalThis.notices.error.map(({ code }) => code))).toContain('network_error');
    await page.close();
  });

  test.each([
    { by: 'by Web Locks', hostname: '127.0.0.1', locks: true },
    { by: 'on pages without Web Locks', hostname: 'insecure.example', locks: false },
  ])('two tabs, $by', async ({ hostname, locks }) => {
    const shopKey = await newShop(locks ? 'tabs-locks' : 'tabs-no-locks');
    const options = { flushIntervalMs: 50, maxBatchEvents: 7 };
    const pages = await Promise.all([0, 1].map(() => open(shopKey, options, { hostname })));
    expect(await pages[0]!.evaluate(() => 'locks' in navigator)).toBe(locks);
    const ids: string[] = [];
    for (let round = 0; round < 10; round++) {
      for (const page of pages) ids.push(...(await click(page, 4)));
    }
    await expectInLake(shopKey, ids);
    for (const page of pages) await until(async () => (await queued(page)) === 0);
    const sent = await Promise.all(
      pages.map((page) => page.evaluate(() => globalThis.notices.sent.flatMap(({ eventIds }) => eventIds))),
    );
    // Tabs of two processes may see each other's storage late, so that now and then one sends again what the other has just
    // delivered; that the receiver stores it once is what counts, and that it stays the exception is what the lock is for.
    expect([...new Set(sent.flat())].toSorted()).toEqual(ids.toSorted());
    expect(sent.flat().length).toBeLessThan((locks ? 1.5 : 2.1) * ids.length);
    for (const page of pages) await page.close();
  });

  test('a storage filled by the shop', async () => {
    const shopKey = await newShop('full');
    const page = await open(shopKey, {}, { hostname: 'full.localhost' });
    const ids = await page.evaluate(() => {
      for (let size = 1_000_000; size >= 1; size = Math.floor(size / 2)) {
        try {
          for (let index = 0; ; index++) localStorage.setItem(`filler-${size}-${index}`, 'x'.repeat(size));
        } catch {
          continue;
        }
      }
      return globalThis.clicks(0, 20);
    });
    const stored = await page.evaluate(() => Object.keys(localStorage).filter((key) => key.includes('.q')).length);
    expect(stored).toBeLessThan(5); // What the tracker frees of its own may hold one or two.
    await expectInLake(shopKey, ids);
    expect(await page.evaluate(() => globalThis.notices.drop)).toEqual([]);
    await page.close();
  });

  test.each(['/', '/classic'])('a content security policy without inline scripts, %s', async (path) => {
    const shopKey = await newShop(path === '/' ? 'csp-module' : 'csp-classic');
    const page = await open(shopKey, {}, { path });
    const ids = await click(page, 5);
    await page.evaluate(() => globalThis.tracker.flush());
    expect(await page.evaluate(() => globalThis.violations)).toEqual([]);
    expect(await page.evaluate(() => globalThis.inlineRan)).toBeUndefined();
    await expectInLake(shopKey, ids);
    await page.close();
  });

  test('back/forward cache: the page can go there, and goes on when it comes back', async () => {
    const shopKey = await newShop('bfcache');
    const page = await open(shopKey);
    const ids = await click(page, 5);
    await page.goto(`http://127.0.0.1:${shop.port}/other`);
    await page.goBack({ waitUntil: 'commit' }); // A restored page fires no load event.
    await page.waitForFunction(() => globalThis.tracker !== undefined);
    expect(await page.evaluate(() => globalThis.restored)).toBe(true);
    ids.push(...(await click(page, 5)));
    await expectInLake(shopKey, ids);
    await until(async () => (await queued(page)) === 0);
    await page.close();
  });

  test('503 while the stream is away, then 202', async () => {
    const shopKey = await newShop('outage');
    const page = await open(shopKey);
    const pid = stack.pid('nats-server');
    process.kill(pid, 'SIGSTOP');
    await untilStopped(pid);
    let ids: string[];
    try {
      ids = await click(page, 10);
      await until(() => page.evaluate(() => globalThis.notices.error.length > 0));
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    const [error] = await page.evaluate(() => globalThis.notices.error);
    expect(error).toMatchObject({ status: 503, retryable: true });
    await expectInLake(shopKey, ids);
    await until(async () => (await queued(page)) === 0);
    await page.close();
  });

  test('a revoked key stops the page, which says so once', async () => {
    const shopKey = await newShop('revoked');
    const page = await open(shopKey, { flushIntervalMs: 50 });
    const ids = await click(page, 3);
    await until(async () => (await queued(page)) === 0);
    await stack.keys.update(secretHash(shopKey.key), (record) => ({ ...record, revokedAt: new Date().toISOString() }));
    await until(async () => (await stack.post(shopKey.key, { events: [] })).status === 401);

    const posts: string[] = [];
    page.on('request', (request) => posts.push(request.method()));
    for (let round = 0; round < 5; round++) {
      await click(page, 2);
      await page.evaluate(() => globalThis.tracker.flush());
    }
    const errors = await page.evaluate(() => globalThis.notices.error);
    expect(errors).toMatchObject([{ code: 'key_revoked', status: 401, retryable: false }]);
    expect(posts).toEqual(['POST']);
    await expectInLake(shopKey, ids);
    await page.close();
  });

  test('a search gives its id to a click on another page, an order line after that, all in the lake', async () => {
    const shopKey = await newShop('attribution');
    const page = await open(shopKey);
    const searchId = await page.evaluate(() =>
      globalThis.tracker.search({ phrase: 'løbesko', resultsCount: 2, resultIds: ['SKU-1', 'SKU-7'] }),
    );
    await page.close();
    const next = await open(shopKey);
    await next.evaluate(() => {
      globalThis.tracker.productClicked({ productId: 'SKU-7', position: 2, price: 0.1 + 0.2, currency: 'DKK' });
      globalThis.tracker.productAddedToCart({ productId: 'SKU-7', quantity: 1 });
      const lines = ['SKU-7', 'SKU-9'].map((productId) => ({ productId, quantity: 1, unitPrice: 100 / 3 }));
      globalThis.tracker.orderCreated({ orderId: 'O-1', currency: 'DKK', total: 66.67, lines });
    });
    await next.close();
    await until(async () => (await rowsOf(shopKey.tenant)).length === 4);
    const { rows } = await stack.ask(
      shopKey.tenant,
      `select type, search_id, list_transform(lines, line -> line.search_id), session_id
       from events order by event_time, event_id`,
    );
    expect(rows.map((row) => row.slice(0, 3))).toEqual([
      ['Search', searchId, null],
      ['ProductClicked', searchId, null],
      ['ProductAddedToCart', searchId, null],
      ['OrderCreated', null, [searchId, null]],
    ]);
    expect(new Set(rows.map((row) => row[3])).size).toBe(1);
    expected.set(shopKey.tenant, await rowsOf(shopKey.tenant));
  });

  test('a backend of another sub-domain knows by its cookies who searched, until the visitor declines', async () => {
    const shopKey = await newShop('cookies');
    const options = { cookie: true, cookieDomain: 'shop.localhost', waitForConsent: true };
    const page = await open(shopKey, options, { hostname: 'www.shop.localhost' });
    const searchId = await page.evaluate(() => {
      globalThis.tracker.setConsent({ analytics: true });
      const searchId = globalThis.tracker.search({ phrase: 'sko', resultsCount: 1, resultIds: ['SKU-1'] });
      return globalThis.tracker.flush().then(() => searchId);
    });
    /** What the backend is sent, name by name, when the page asks for another one. */
    const sent = async (): Promise<Record<string, string>> => {
      const response = await page.goto(`http://api.shop.localhost:${shop.port}/other`);
      const { cookie = '' } = await response!.request().allHeaders();
      return Object.fromEntries(cookie.split('; ').map((pair) => pair.split('='))) as Record<string, string>;
    };
    const { spor_aid: anonymousId = '', spor_sid: sessionId = '', spor_consent: consent } = await sent();
    expect(consent).toBe('analytics');
    const key = await stack.createKey(shopKey.tenant, 'web', { kind: 'server' });
    const backend = createTracker({ endpoint: stack.stack.ingestUrl, instrumentationKey: key });
    const lines = [{ productId: 'SKU-1', quantity: 1, unitPrice: 99.95, searchId }];
    backend.orderCreated({ orderId: 'O-1', currency: 'DKK', total: 99.95, lines, anonymousId, sessionId });
    await backend.close();
    const joined = (): Promise<{ rows: unknown[][] }> =>
      stack.ask(
        shopKey.tenant,
        `select o.order_id, s.phrase from events o
         join searches s on s.anonymous_id = o.anonymous_id and s.session_id = o.session_id and s.search_id = o.lines[1].search_id
         where o.type = 'OrderCreated' and o.key_id <> s.key_id`,
      );
    await until(async () => (await joined()).rows.length > 0);
    expect((await joined()).rows).toEqual([['O-1', 'sko']]);
    expected.set(shopKey.tenant, await rowsOf(shopKey.tenant));

    // The shop's pages there have a storage of their own, yet the same visitor; what they decline holds everywhere.
    const other = await open(shopKey, options, { hostname: 'api.shop.localhost' });
    const ids = await other.evaluate(() => {
      globalThis.tracker.setConsent(true);
      const ids = globalThis.tracker.ids();
      globalThis.tracker.setConsent(false);
      return ids;
    });
    expect(ids).toEqual({ anonymousId, sessionId });
    expect(await sent()).not.toHaveProperty('spor_aid');
    expect(await browser.context.cookies(`http://www.shop.localhost:${shop.port}`)).toEqual([]);
    await Promise.all([page.close(), other.close()]);
  });

  test('the demo shop: from the results to the order, one visit, attributed', async () => {
    const shopKey = await newShop('demo');
    const demo = await serveDemo({ endpoint: stack.stack.ingestUrl, instrumentationKey: shopKey.key, port: 0 });
    try {
      const page = await browser.context.newPage();
      await page.goto(demo.url);
      await page.getByPlaceholder('Try').fill('shoes');
      await page.getByRole('button', { name: 'Search' }).click();
      await page.getByRole('button', { name: 'Yes' }).click();
      // A page shows before its script has come: a click then must wait, not be lost.
      const { promise: held, resolve: release } = Promise.withResolvers<void>();
      await page.route('**/product.js', (route) => held.then(() => route.continue()));
      await page.getByRole('link', { name: 'Road running shoes' }).click();
      const add = page.getByRole('button', { name: 'Add to cart' });
      await add.waitFor();
      expect(await add.isEnabled()).toBe(false);
      release();
      await add.click();
      await page.getByRole('link', { name: 'Cart' }).click();
      await page.getByRole('button', { name: 'Place the order' }).click();
      await page.close();
      const placed = `select order_id from events where type = 'OrderCreated'`;
      await until(async () => (await stack.ask(shopKey.tenant, placed)).rows.length === 1);
      const { rows } = await stack.ask(
        shopKey.tenant,
        `select type, coalesce(search_id, lines[1].search_id), session_id from events order by event_time, event_id`,
      );
      // How many results were seen before the click depends on the machine's speed.
      const types = rows.map(([type]) => type).filter((type, index, all) => type !== all[index - 1]);
      expect(types).toEqual([
        'Search',
        'ProductsShown',
        'ProductClicked',
        'ProductViewed',
        'ProductAddedToCart',
        'CheckoutStarted',
        'OrderCreated',
      ]);
      expect(new Set(rows.map(([, searchId]) => searchId)).size).toBe(1);
      expect(rows[0]![1]).toBeTruthy();
      expect(new Set(rows.map(([, , sessionId]) => sessionId)).size).toBe(1);
      expected.set(shopKey.tenant, await rowsOf(shopKey.tenant));
    } finally {
      demo.server.closeAllConnections();
      demo.server.close();
    }
  });

  test('after all that, each lake still holds exactly its events', async () => {
    for (const [tenant, ids] of expected) expect(await rowsOf(tenant), tenant).toEqual(ids);
  });
});

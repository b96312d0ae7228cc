import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Page } from 'playwright-core';
import type { Impressions } from '../../src/impressions.ts';
import { findChromium, launchBrowser, NO_CHROMIUM, type Browser } from '../support/chromium.ts';
import { startRecorder, type Recorder } from '../support/recorder.ts';
import { startShopServer, type ShopServer } from '../support/shopServer.ts';

declare global {
  var impressions: Impressions;
}

const executable = findChromium();
const KEY = 'ik_impressions';

describe.skipIf(!executable)(`impressions in Chromium${executable ? '' : ` (skipped: ${NO_CHROMIUM})`}`, () => {
  let recorder: Recorder;
  let browser: Browser;
  let shop: ShopServer;

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

  /** Let the browser report what is in view; observers are told in the order in which they were made. */
  const looked = (page: Page): Promise<void> =>
    page.evaluate(
      () =>
        new Promise((resolve) => {
          const observer = new IntersectionObserver(() => (observer.disconnect(), resolve()));
          observer.observe(document.body);
        }),
    );

  test('tell what was really seen, once, and nothing else', async () => {
    const page = await browser.context.newPage();
    await page.setViewportSize({ width: 600, height: 500 });
    await page.clock.install();
    const options = JSON.stringify({ endpoint: recorder.url, instrumentationKey: KEY, flushIntervalMs: 50 });
    await page.goto(`http://shop.localhost:${shop.port}/?options=${encodeURIComponent(options)}`);
    await page.waitForFunction(() => globalThis.impressions !== undefined);
    /** Passes time, after the browser has reported. @returns products told so far. */
    const pass = async (ms: number): Promise<string[]> => {
      await looked(page);
      await page.clock.runFor(ms);
      await page.evaluate(() => globalThis.tracker.flush());
      const told = recorder.events(KEY).filter(({ type }) => type === 'ProductsShown');
      return told.flatMap(({ products }) => (products as { productId: string }[]).map(({ productId }) => productId));
    };
    // One column: A and B in view, C with its upper third, D under C. E is transparent, F higher than the window.
    await page.evaluate(() => {
      const heights = { A: 200, B: 200, C: 300, D: 200, E: 200, F: 3000, G: 200 };
      document.body.style.margin = '0';
      document.body.textContent = '';
      const products = Object.entries(heights).map(([productId, height], index) => {
        const element = document.body.appendChild(document.createElement('article'));
        element.id = productId;
        element.style.height = `${height}px`;
        element.append(document.createElement('a'));
        return { element, productId, position: index + 1 };
      });
      products[4]!.element.style.opacity = '0';
      globalThis.impressions.watch(products, { searchId: 'shoe', listName: 'Results' });
    });
    expect(await pass(900)).toEqual([]); // not yet a second
    await page.evaluate(() => document.body.append(document.createElement('dialog')));
    await page.evaluate(() => {
      document.querySelector('dialog')!.style.cssText = 'width: 100vw; height: 100vh; max-width: none; margin: 0';
      document.querySelector('dialog')!.showModal();
    });
    expect(await pass(5000)).toEqual([]); // covered
    await page.evaluate(() => document.querySelector('dialog')!.close());
    expect((await pass(2100)).toSorted()).toEqual(['A', 'B']);
    await page.evaluate(() => scrollTo(0, 9999)); // past C to F, and on to G
    await looked(page);
    await page.evaluate(() => scrollTo(0, 600)); // at C's end, D and E
    expect((await pass(2100)).toSorted()).toEqual(['A', 'B', 'D']); // not C, not the transparent E, and not G in passing
    await page.evaluate(() => {
      scrollTo(0, 2000);
      Object.defineProperty(document, 'hidden', { get: () => true, configurable: true });
      document.dispatchEvent(new Event('visibilitychange'));
    });
    expect(await pass(5000)).toHaveLength(3); // in a tab behind others
    await page.evaluate(() => {
      delete (document as { hidden?: boolean }).hidden;
      document.dispatchEvent(new Event('visibilitychange'));
    });
    expect((await pass(2100)).toSorted()).toEqual(['A', 'B', 'D', 'F']); // most of the window
    await page.evaluate(() => {
      scrollTo(0, 9999);
      document.querySelector<HTMLElement>('#G a')!.click(); // who clicks has seen
      globalThis.impressions.watch([{ element: document.querySelector('#G')!, productId: 'G', position: 7 }], {
        searchId: 'shoe',
        listName: 'Results',
      });
    });
    expect((await pass(5000)).toSorted()).toEqual(['A', 'B', 'D', 'F', 'G']); // each once
    await page.evaluate(() => {
      globalThis.impressions.end(); // another view begins, and C is out of sight
      const [C, G] = ['C', 'G'].map((id) => ({ element: document.getElementById(id)!, productId: id }));
      globalThis.impressions.watch([C!, G!], { listId: 'sale' });
    });
    expect((await pass(2100)).toSorted()).toEqual(['A', 'B', 'D', 'F', 'G', 'G']);
    const [first] = recorder.events(KEY);
    const products = [
      { productId: 'A', position: 1 },
      { productId: 'B', position: 2 },
    ];
    expect(first).toMatchObject({ type: 'ProductsShown', searchId: 'shoe', listName: 'Results', products });
    await page.close();
  });
});

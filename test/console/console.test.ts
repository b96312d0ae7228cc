import { readFile } from 'node:fs/promises';
import axe from 'axe-core';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { findChromium, launchBrowser, NO_CHROMIUM, type Browser } from '../../sdk/js/test/support/chromium.ts';
import { until } from '../support/until.ts';
import { startConsoleStack, type ConsoleStack } from './stack.ts';

/** Longer than a screen is wide. */
const LONG_PHRASE = 'shoes for a very long walk '.repeat(20).trim();
const VIEWS = ['overview', 'live', 'search', 'products', 'revenue', 'experiments', 'quarantine', 'access'];
const executable = findChromium();

describe.skipIf(!executable)(`the console in Chromium${executable ? '' : ` (skipped: ${NO_CHROMIUM})`}`, () => {
  let stack: ConsoleStack;
  let browser: Browser;
  let page: Page;
  let key: string;
  let complaints: string[] = [];

  beforeAll(async () => {
    stack = await startConsoleStack('shop');
    key = await stack.createKey('shop', 'web', { label: 'checkout page' });
    await stack.createKey('shop', 'web', { label: 'a key whose label was written by somebody with much to say of it' });
    const rival = await stack.createKey('rival', 'web');
    await stack.createKey('silent', 'web');
    await stack.post(rival, { events: [search({ phrase: 'the secret of the rival' }), ...experiment()] });
    const first = search();
    await stack.post(key, { events: [first, { ...first, phrase: 'other' }, search({ phrase: ['many'] })] });
    await stack.post(key, { events: [search({ sessionId: 's-3', phrase: LONG_PHRASE }), ...journey()] });
    const refund = { type: 'OrderRefunded', orderId: 'o-1', currency: 'EUR', amount: 49.9 };
    await stack.post(key, { events: [testOrder(), { ...common(), ...refund }] });
    await until(async () => (await stack.ask('shop', 'select 1 from refunds')).rows.length === 1);
    await until(async () => (await stack.ask('shop', 'select 1 from quarantine')).rows.length === 1);
    await until(async () => (await stack.ask('shop', 'select 1 from orders')).rows.length === 1);
    browser = await launchBrowser(executable!);
  });

  afterAll(async () => {
    await browser?.close();
    await stack?.close();
  });

  beforeEach(async () => {
    await page?.close();
    page = await browser.context.newPage();
    complaints = [];
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
    });
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('request', (request) => {
      if (!request.url().startsWith(stack.stack.queryUrl)) complaints.push(`asked ${request.url()}`);
    });
  });

  function search(change: Record<string, unknown> = {}): Record<string, unknown> {
    const timestamp = new Date().toISOString();
    const eventId = crypto.randomUUID();
    return { eventId, type: 'Search', timestamp, sessionId: 's-1', phrase: 'shoes', resultsCount: 3, ...change };
  }

  /** One visitor from search to order. */
  function journey(): Record<string, unknown>[] {
    const event = (type: string, fields: Record<string, unknown>): Record<string, unknown> => ({
      eventId: crypto.randomUUID(),
      type,
      timestamp: new Date().toISOString(),
      sessionId: 's-2',
      anonymousId: 'a-2',
      ...fields,
    });
    const searchId = 'search-2';
    return [
      event('Search', { searchId, phrase: 'winter boots', resultsCount: 12 }),
      event('ProductClicked', { productId: 'SKU-7', searchId, position: 2 }),
      event('ProductAddedToCart', { productId: 'SKU-7', quantity: 2, searchId }),
      event('OrderCreated', {
        orderId: 'o-1',
        currency: 'EUR',
        total: 249.9,
        lines: [{ productId: 'SKU-7', quantity: 2, unitPrice: 124.95, searchId }],
      }),
    ];
  }

  function common(): Record<string, unknown> {
    return { eventId: crypto.randomUUID(), timestamp: new Date().toISOString(), sessionId: 's-4' };
  }

  function testOrder(): Record<string, unknown> {
    const lines = [{ productId: 'SKU-7', quantity: 1, unitPrice: 1 }];
    return { ...common(), type: 'OrderCreated', orderId: 'o-2', currency: 'EUR', total: 1, test: true, lines };
  }

  /** Twelve visitors with each variant: three with the one click, and all with the other. */
  function experiment(): Record<string, unknown>[] {
    return ['control', 'b'].flatMap((variant) =>
      Array.from({ length: 12 }, (_, index) => {
        const visitor = `${variant}-${index}`;
        const own = { sessionId: visitor, searchId: visitor, experiments: [{ id: 'ranking', variant }] };
        const { phrase: _phrase, resultsCount: _count, ...click } = search(own);
        const clicked = { ...click, type: 'ProductClicked', productId: 'SKU-7', position: 1 };
        return [search(own), ...(variant === 'b' || index < 3 ? [clicked] : [])];
      }).flat(),
    );
  }

  async function signIn(token: string, query = ''): Promise<void> {
    await page.goto(`${stack.stack.queryUrl}/console/${query}`);
    await page.getByLabel('Token').fill(token);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('navigation', { name: 'Views' }).waitFor();
  }

  /** Waits until every part of the view has come. */
  async function settled(): Promise<void> {
    await until(async () => (await page.locator('[aria-busy=true]').count()) === 0);
  }

  test('a wrong token is refused with the reason, and none is kept', async () => {
    await page.goto(stack.stack.queryUrl); // leads to the console
    await page.getByLabel('Token').fill('rt_nonsense');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByText('The read token is unknown').waitFor();
    expect(await page.evaluate(() => sessionStorage.length)).toBe(0);
    expect(complaints.filter((text) => !text.includes('401'))).toEqual([]); // the browser's own note of the answer
  });

  test('a tenant’s token shows that tenant and nothing to manage', async () => {
    const duplicates = async () => (await stack.call(stack.reader, '/api/duplicates')).json();
    await until(async () => ((await duplicates()) as { differing: number }).differing === 1);
    await signIn(stack.reader, '?tenant=rival');
    await settled();
    await page.getByText('Two events had one id, and the second was dropped. Batch ').waitFor();
    expect(await page.getByLabel('Tenant').count()).toBe(0);
    expect(await page.locator('.side-foot').textContent()).toContain('shop');
    await page.getByRole('link', { name: 'Keys and tokens' }).click();
    await page.getByText('checkout page').waitFor();
    expect(await page.getByRole('button', { name: /^Revoke|^Create / }).count()).toBe(0);
    expect(await page.content()).not.toContain('rival');
    expect(complaints).toEqual([]);
  });

  test('an event shows its verdict, reason and row as it comes in, by keyboard too', async () => {
    await signIn(stack.reader, '?view=live');
    await page.getByText('Listening').waitFor();
    await page.getByLabel('Key').selectOption({ label: 'checkout page (web)' });
    await page.getByText('Listening').waitFor();
    const [good, bad] = [search({ phrase: 'red boots', userId: '' }), search({ phrase: [7] })];
    await stack.post(key, { events: [good, bad] });
    await page.getByText('1 accepted, 1 rejected').waitFor();
    await page.locator('.feed summary', { hasText: 'field_type' }).focus();
    await page.keyboard.press('Enter');
    await page.getByText('/phrase', { exact: true }).waitFor();
    await page.locator('.feed summary', { hasText: String(good.eventId) }).click();
    await page.getByText('"phrase": "red boots"').waitFor();
    await page.getByText('empty /userId', { exact: true }).waitFor();
    expect(await violations()).toEqual([]); // two open lines are two landmarks
    // The view can be shared: its address says which key.
    expect(new URL(page.url()).searchParams.get('key')).toMatch(/^[0-9a-f]{16}$/);
    expect(complaints).toEqual([]);
  });

  test('an operator makes a key, sees it once, uses it, and withdraws it', async () => {
    await signIn(stack.operator, '?view=access&tenant=shop');
    await page.getByLabel('Segment', { exact: true }).fill('app');
    await page.getByLabel('Label: the purpose of the key').fill('new app');
    await page.getByRole('button', { name: 'Create key' }).click();
    const secret = await page.getByRole('region', { name: 'key', exact: true }).textContent();
    expect(secret).toMatch(/^ik_/);
    await page.getByRole('button', { name: 'I have saved it' }).click();
    await page.getByRole('rowheader', { name: 'new app' }).waitFor();
    expect(await page.content()).not.toContain(secret);
    await until(async () => (await stack.post(secret!, { events: [search()] })).status === 202);
    await page.getByRole('button', { name: 'Revoke new app' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Revoke' }).click();
    await page.getByRole('row', { name: /new app.*revoked/ }).waitFor();
    await until(async () => (await stack.post(secret!, { events: [search()] })).status === 401);
    await page.getByLabel('Tenant').first().selectOption('rival');
    await page.getByText('Instrumentation keys of rival').waitFor();
    await page.goBack();
    await page.getByText('Instrumentation keys of shop').waitFor();
    expect(complaints).toEqual([]);
  });

  test('the quarantine shows why and what, and a command to bring it back', async () => {
    await signIn(stack.operator, '?view=quarantine&tenant=shop');
    await page.getByRole('button', { name: 'field_type' }).click();
    await page.getByRole('heading', { name: 'Newest with field_type' }).waitFor();
    await page.locator('.feed summary', { hasText: '/phrase' }).last().click();
    await page.getByText('"phrase":["many"]').waitFor();
    await page.getByText('quarantine redrive --tenant shop --code field_type').waitFor();
    expect(complaints).toEqual([]);
  });

  test('search, products and revenue show the journey of a visitor', async () => {
    await signIn(stack.reader, '?view=search&days=7');
    const row = page.getByRole('table', { name: 'Phrases', exact: true }).getByRole('row', { name: /winter boots/ });
    // Phrase, searches, results, nothing found, click rate, first click at position 2, abandoned, to cart, to order,
    // revenue.
    await row.waitFor();
    expect(await row.getByRole('cell').allTextContents()).toEqual([
      '1',
      '12.0',
      '0.0%',
      '100.0%',
      '2.0',
      '0.0%',
      '100.0%',
      '100.0%',
      '€249.90',
    ]);
    await row.getByRole('button', { name: 'winter boots' }).click();
    const bought = page.getByRole('table', { name: /^Products bought/ }).getByRole('row', { name: /SKU-7/ });
    await bought.waitFor();
    expect(await bought.getByRole('cell').allTextContents()).toEqual(['€249.90', '1', '2']);
    await page.getByRole('button', { name: 'Back to all phrases' }).click();
    await row.waitFor();
    await page.getByRole('link', { name: 'Products' }).click();
    await page.getByRole('table', { name: 'From click to order' }).getByRole('row', { name: /SKU-7/ }).waitFor();
    await page.getByRole('link', { name: 'Revenue' }).click();
    await page.locator('.figure', { hasText: 'Revenue, EUR' }).getByText('249.90').waitFor();
    const net = page.locator('.figure', { hasText: 'Net revenue' });
    await net.getByText('200.00').waitFor();
    await net.getByText('49.90 in 1 refund').waitFor();
    const statuses = page.getByRole('table', { name: 'Orders by status' });
    await statuses.waitFor();
    expect(await statuses.getByRole('row').allTextContents()).toEqual([
      expect.stringContaining('Counts'),
      expect.stringMatching(/live.*yes.*249\.90/),
      expect.stringMatching(/test.*no.*1\.00/),
    ]);
    await settled();
    await page.getByText('Show as table').first().click();
    await page.getByRole('table', { name: 'Revenue by day' }).getByText('249.90').waitFor();
    expect(new URL(page.url()).search).toBe('?view=revenue&days=7');
    expect(complaints).toEqual([]);
  });

  test('an experiment says in words what a variant changes, and how sure that is', async () => {
    await signIn(stack.operator, '?view=experiments&tenant=rival');
    await page.getByText('Visitors: control 12, b 12.').waitFor();
    await page.getByText(/^b has more: 100\.0% against 25\.0% of control\. The true difference is .* more/).waitFor();
    await settled();
    const notices = await page.locator('.empty-title').allTextContents();
    expect(notices).toEqual(Array(3).fill('Nothing of the kind in this period.')); // no orders
    expect(await violations()).toEqual([]);
    expect(complaints).toEqual([]);
  });

  test('a table is sorted and saved, and a long phrase is short there and whole in its own view', async () => {
    await signIn(stack.reader, '?view=search&days=7');
    const phrases = page.locator('section', { has: page.getByRole('heading', { name: 'Phrases' }) });
    const shown = async (): Promise<string[]> => phrases.getByRole('rowheader').allTextContents();
    await phrases.getByRole('rowheader').first().waitFor();
    expect((await shown()).filter((text) => text.length > 100)).toEqual([]);
    await phrases.getByRole('button', { name: 'Phrase', exact: true }).click();
    const sorted = await shown();
    expect(sorted).toEqual(sorted.toSorted((a, b) => a.localeCompare(b)));
    await phrases.getByRole('button', { name: 'Phrase', exact: true }).click();
    expect(await phrases.getByRole('columnheader', { name: 'Phrase' }).getAttribute('aria-sort')).toBe('descending');
    expect(await shown()).toEqual(sorted.toReversed());
    const saved = page.waitForEvent('download');
    await phrases.getByRole('button', { name: 'Save Phrases as CSV' }).click();
    const file = await readFile(await (await saved).path(), 'utf8');
    expect(file.slice(0, 8)).toBe('\uFEFFPhrase,');
    expect(file).toContain(`\r\n${LONG_PHRASE},1,`);
    await phrases.getByRole('button', { name: /^shoes for a very long walk/ }).click();
    await page.getByText(LONG_PHRASE, { exact: true }).waitFor();
    expect(new URL(page.url()).searchParams.get('phrase')).toBe(LONG_PHRASE);
    await settled();
    expect(await violations()).toEqual([]);
    expect(complaints).toEqual([]);
  });

  test('a shop without events is not told that all is well', async () => {
    await signIn(stack.operator, '?view=search&tenant=silent');
    await settled();
    const notices = await page.locator('.empty-title').allTextContents();
    expect(new Set(notices)).toEqual(new Set(['No searches in this period.']));
  });

  test('a token that is revoked ends the session', async () => {
    const made = await stack.call(stack.operator, '/api/tokens', { tenant: 'shop', body: { label: 'short' } });
    const { token, id } = (await made.json()) as { token: string; id: string };
    await signIn(token);
    await stack.call(stack.operator, `/api/tokens/${id}/revoke`, { body: {} });
    // The overview asks again every ten seconds: nobody needs to click.
    await page.getByText('was revoked').waitFor();
    expect(await page.evaluate(() => sessionStorage.length)).toBe(0);
  });

  test.each(VIEWS)('%s has no accessibility violations, light and dark, wide and narrow', async (view) => {
    await signIn(stack.operator, `?view=${view}&tenant=shop`);
    await settled();
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      for (const width of [1440, 1280, 390]) {
        await page.setViewportSize({ width, height: 900 });
        expect(await violations(), `${view} ${colorScheme} ${width}`).toEqual([]);
        const overflow = await page.evaluate<number>('document.documentElement.scrollWidth - innerWidth');
        expect(overflow, 'nothing but tables scrolls sideways').toBeLessThanOrEqual(0);
      }
    }
    expect(complaints).toEqual([]);
  });

  test('signing in has no accessibility violations', async () => {
    await page.goto(`${stack.stack.queryUrl}/console/`);
    await page.getByLabel('Token').waitFor();
    expect(await violations()).toEqual([]);
  });

  async function violations(): Promise<string[]> {
    await page.evaluate(axe.source);
    const found = await page.evaluate<{ id: string; nodes: { html: string; failureSummary?: string }[] }[]>(
      'axe.run().then(({ violations }) => violations)',
    );
    return found.map(({ id, nodes }) => `${id}: ${nodes[0]?.html} ${nodes[0]?.failureSummary}`);
  }
});

import { existsSync } from 'node:fs';
import { chromium } from 'playwright-core';

/**
 * A visitor of the sample shop in a real Chromium: agrees, searches, puts the first product found in the cart, orders, and
 * stays until the page has sent what it tracked. Prints one line of JSON with what the page said at the end, or the
 * reason why there was no visit.
 */
const [shop, sdk] = process.argv.slice(2);
if (!shop || !sdk) throw new Error('usage: node browser.ts <address of the shop> <spor.global.js>');

const executablePath = ['/usr/bin/chromium', '/usr/bin/chromium-browser'].find((file) => existsSync(file));
const say = (facts: object): void => void process.stdout.write(`${JSON.stringify(facts)}\n`);

if (executablePath === undefined) say({ unavailable: 'Chromium is not installed' });
else {
  const args = ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update'];
  const browser = await chromium.launch({ executablePath, args });
  try {
    const page = await browser.newPage();
    // The search goes before the click: once the click has arrived, so has all that the page tracked.
    const delivered = page.waitForResponse(
      (response) =>
        response.url().endsWith('/api/events') &&
        response.status() === 202 &&
        response.request().postData()?.includes('ProductClicked') === true,
    );
    await page.route('**/spor.global.js', (route) => route.fulfill({ path: sdk }));
    await page.goto(shop);
    await page.click('#agree');
    await page.click('#search button');
    await page.click('#products button');
    await page.getByText('1 in the cart').waitFor();
    await page.click('#checkout');
    await page.getByText(/^Order /).waitFor();
    const said = await page.textContent('#said');
    await delivered;
    say({ said });
  } finally {
    await browser.close();
  }
}

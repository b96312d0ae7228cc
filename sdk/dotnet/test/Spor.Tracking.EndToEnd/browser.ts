import { dirname, join } from 'node:path';
import { findChromium, launchBrowser, NO_CHROMIUM } from '../../../js/test/support/chromium.ts';

/**
 * A visitor of the sample shop in a real Chromium: agrees, searches, puts the first product found in the cart, orders, stays
 * until the page has sent what it tracked, then declines and orders once more. Prints one line of JSON with what the page
 * said of the first order, the tracking cookies before and after declining, and requests that carried ids in headers; or the
 * reason why there was no visit.
 */
const [shop, sdk] = process.argv.slice(2);
if (!shop || !sdk) throw new Error('usage: node browser.ts <address of the shop> <spor.global.js>');

const executable = findChromium();
const say = (facts: object): void => void process.stdout.write(`${JSON.stringify(facts)}\n`);

if (executable === undefined) say({ unavailable: NO_CHROMIUM });
else {
  const browser = await launchBrowser(executable);
  try {
    const page = await browser.context.newPage();
    page.setDefaultTimeout(75_000); // Below the patience of the test that waits for this program.
    // The search goes before the click: once the click has arrived, so has all that the page tracked.
    const delivered = page.waitForResponse(
      (response) =>
        response.url().endsWith('/api/events') &&
        response.status() === 202 &&
        response.request().postData()?.includes('ProductClicked') === true,
    );
    const trackingCookies = async (): Promise<string[]> =>
      (await browser.context.cookies())
        .map(({ name }) => name)
        .filter((name) => name.startsWith('spor_'))
        .toSorted();
    const idHeaders: string[] = [];
    page.on('request', (request) => {
      if (Object.keys(request.headers()).some((name) => /^x-spor-(anonymous|session)-id$/.test(name)))
        idHeaders.push(request.url());
    });
    for (const file of ['spor.global.js', 'cookies.js'])
      await page.route(`**/${file}`, (route) => route.fulfill({ path: join(dirname(sdk), file) }));
    await page.goto(shop);
    await page.click('#agree');
    await page.click('#search button');
    const order = async (): Promise<string | null> => {
      await page.click('#products button');
      await page.getByText('1 in the cart').waitFor();
      await page.click('#checkout');
      await page.getByText(/^Order /).waitFor();
      return page.textContent('#said');
    };
    const said = await order();
    await delivered;
    const agreed = await trackingCookies();
    await page.click('#decline');
    const declined = await trackingCookies();
    await order();
    say({ said, cookies: { agreed, declined }, idHeaders });
  } finally {
    await browser.close();
  }
}

import { describe, expect, test } from 'vitest';
import { cookies } from '../../src/cookies.ts';
import { FakeCookies } from '../support/fakeCookies.ts';
import { FakePage } from '../support/fakePage.ts';
import { openShop, type Shop } from '../support/shop.ts';

const MINUTE = 60_000;
const OTHER = '0192aaaa-bbbb-7ccc-8ddd-eeeeffff0000';

interface OpenOptions extends NonNullable<Parameters<typeof openShop>[0]> {
  href?: string;
  domain?: string | undefined;
}

/** A page of the shop with cookies; its jar's clock goes with the shop's. */
function open(jar = new FakeCookies(), options: OpenOptions = {}): Shop {
  const { href = 'https://shop.example/', domain, ...rest } = options;
  const page = new FakePage({ cookies: jar, href });
  const shop = openShop({ page, cookie: cookies(domain, page), ...rest });
  jar.now = shop.host.wallStart;
  return shop;
}

async function click({ host, tracker, events }: Shop): Promise<Record<string, unknown>> {
  tracker.productClicked({ productId: 'A' });
  await tracker.flush();
  await host.settle();
  return events().at(-1)!;
}

test('without the option no cookie is touched, neither with consent nor with a refusal', async () => {
  const jar = new FakeCookies();
  jar.set(`spor_aid=${OTHER}`);
  const shop = open(jar, { cookie: undefined });
  expect((await click(shop)).anonymousId).not.toBe(OTHER);
  shop.tracker.reset();
  shop.tracker.setConsent(true);
  shop.tracker.setConsent(false);
  expect(jar.lines).toEqual([`spor_aid=${OTHER}`]);
});

describe('the cookies', () => {
  test('hold the ids of the events, from the page’s start on, with all their attributes', async () => {
    const jar = new FakeCookies();
    const shop = open(jar, { domain: 'shop.example' });
    const { anonymousId, sessionId } = shop.tracker.ids();
    const tail = ';domain=shop.example;secure';
    expect(jar.lines.slice(0, 2)).toEqual([
      `spor_aid=${anonymousId};path=/;samesite=lax;max-age=31536000${tail}`,
      `spor_sid=${sessionId};path=/;samesite=lax;max-age=1800${tail}`,
    ]);
    expect(await click(shop)).toMatchObject({ anonymousId, sessionId });
    expect(jar.get('spor_consent')).toBeUndefined(); // Nobody was asked.
  });

  test('are the host’s alone without a domain, and not secure on http', () => {
    const jar = new FakeCookies();
    open(jar, { href: 'http://127.0.0.1:8080/' });
    expect(jar.lines[0]).toMatch(/;max-age=31536000$/);
  });

  test.each([
    { consent: true, value: 'analytics' },
    { consent: { analytics: true, personalization: false }, value: 'analytics' },
    { consent: { analytics: true, personalization: true }, value: 'analytics.personalization' },
  ])('say that the visitor agreed: $consent', ({ consent, value }) => {
    const jar = new FakeCookies();
    const { tracker } = open(jar, { waitForConsent: true });
    expect(jar.lines).toEqual([]);
    tracker.setConsent(consent);
    expect(jar.get('spor_consent')).toBe(value);
    expect([jar.get('spor_aid'), jar.get('spor_sid')]).toEqual(Object.values(tracker.ids()));
  });

  test.each([undefined, 'shop.example'])('go with a refusal, also those of an earlier page; domain: %s', (domain) => {
    const jar = new FakeCookies();
    open(jar).tracker.setConsent(true); // From before the shop gave a domain.
    const options = { waitForConsent: true, domain };
    open(jar, options).tracker.setConsent(true);
    expect(jar.text).not.toBe('');
    open(jar, options).tracker.setConsent(false);
    expect(jar.text).toBe('');
  });

  test('go when the browser sends a privacy signal', () => {
    const jar = new FakeCookies();
    open(jar).tracker.setConsent(true);
    const page = new FakePage({ cookies: jar, navigator: { globalPrivacyControl: true } });
    openShop({ page, cookie: cookies(undefined, page) });
    expect(jar.text).toBe('');
  });

  test('change with a reset; what the visitor agreed to stays', () => {
    const jar = new FakeCookies();
    const { tracker } = open(jar);
    tracker.setConsent(true);
    const before = tracker.ids();
    tracker.reset();
    const after = [jar.get('spor_aid'), jar.get('spor_sid')];
    expect(after).toEqual(Object.values(tracker.ids()));
    expect(after).not.toContain(before.anonymousId);
    expect(after).not.toContain(before.sessionId);
    expect(jar.get('spor_consent')).toBe('analytics');
  });
});

describe('read back', () => {
  test('a page of another sub-domain goes on with visitor and session', async () => {
    const jar = new FakeCookies();
    const first = await click(open(jar));
    const second = await click(open(jar)); // With a storage of its own.
    expect([second.anonymousId, second.sessionId]).toEqual([first.anonymousId, first.sessionId]);
  });

  test('the session ends when it was idle for 30 minutes, wherever', async () => {
    const jar = new FakeCookies();
    const shop = open(jar);
    const first = await click(shop);
    for (const minutes of [29, 29]) {
      await shop.host.advance(minutes * MINUTE);
      jar.now += minutes * MINUTE;
      expect((await click(shop)).sessionId).toBe(first.sessionId);
    }
    await shop.host.advance(30 * MINUTE);
    jar.now += 30 * MINUTE;
    expect(jar.get('spor_sid')).toBeUndefined();
    expect(jar.get('spor_aid')).toBe(first.anonymousId);
    const later = await click(shop);
    expect(later.sessionId).not.toBe(first.sessionId);
    expect(jar.get('spor_sid')).toBe(later.sessionId);
  });

  test.each([
    '',
    'x',
    'x'.repeat(4000),
    `${OTHER}0`,
    OTHER.toUpperCase(),
    '<script>alert(1)</script>',
    '","userId":"someone else"',
    '%00%F0%9F%92%A9',
    '__proto__',
    '0192aaaa-bbbb-7ccc-8ddd-eeeeffff000\u{d800}',
  ])('what is not in the form of an id is not taken for one: %j', async (value) => {
    const jar = new FakeCookies();
    for (const name of ['aid', 'sid', 'consent']) jar.set(`spor_${name}=${value}`);
    const shop = open(jar);
    const { anonymousId, sessionId } = await click(shop);
    expect([anonymousId, sessionId]).not.toContain(value);
    expect([jar.get('spor_aid'), jar.get('spor_sid')]).toEqual([anonymousId, sessionId]);
  });

  test('a cookie of a similar name is another one', async () => {
    const jar = new FakeCookies();
    jar.set(`x-spor_aid=${OTHER}`);
    jar.set(`spor_aid_=${OTHER}`);
    jar.set(`x=, spor_aid:${OTHER}`);
    expect((await click(open(jar))).anonymousId).not.toBe(OTHER);
  });
});

test.each([
  { name: 'a page whose cookies throw', page: new FakePage({ cookies: 'forbidden' }) },
  { name: 'a page whose storage throws too', page: new FakePage({ cookies: 'forbidden', storage: 'forbidden' }) },
])('$name keeps ids as without the option', async ({ page }) => {
  const shop = openShop({ page, cookie: cookies('shop.example', page) });
  const first = await click(shop);
  expect((await click(shop)).anonymousId).toBe(first.anonymousId);
  shop.tracker.reset();
  shop.tracker.setConsent(false);
  expect(shop.tracker.ids()).toEqual({});
});

test('outside a page there are no cookies', async () => {
  const shop = openShop({ cookie: cookies() });
  expect(await click(shop)).not.toHaveProperty('anonymousId');
});

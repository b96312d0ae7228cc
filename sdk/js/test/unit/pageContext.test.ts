import { describe, expect, test } from 'vitest';
import { pageContext, stripUrl } from '../../src/pageContext.ts';
import { FakePage } from '../support/fakePage.ts';
import type { Host } from '../../src/host.ts';

describe('an address loses', () => {
  test.each([
    ['its query', 'https://shop.dk/p?email=a@b.dk', [], 'https://shop.dk/p'],
    ['its fragment', 'https://shop.dk/p#token=1', [], 'https://shop.dk/p'],
    ['a query within the fragment', 'https://shop.dk/#/p?email=a', [], 'https://shop.dk/'],
    ['what is not allowed', 'https://shop.dk/s?q=sko&email=a&page=2', ['q', 'page'], 'https://shop.dk/s?q=sko&page=2'],
    ['names that only begin alike', 'https://shop.dk/?query=1', ['q'], 'https://shop.dk/'],
    ['nothing, when clean', 'https://shop.dk/sko/s%C3%B8', [], 'https://shop.dk/sko/s%C3%B8'],
    ['what follows a second question mark', 'https://shop.dk/?q=a?email=b', [], 'https://shop.dk/'],
  ])('%s', (_name, address, allowed, expected) => expect(stripUrl(address, allowed)).toBe(expected));

  test('itself, when empty', () => expect(stripUrl('', [])).toBeUndefined());
});

describe('the page tells', () => {
  const contextOf = (page: FakePage): unknown => pageContext(page.scope() as Host, []);

  test('its address, where the visitor came from, and its language', () => {
    const page = new FakePage({ href: 'https://shop.dk/p?x=1', referrer: 'https://search.example/?q=sko', lang: 'da' });
    expect(contextOf(page)).toEqual({ url: 'https://shop.dk/p', referrer: 'https://search.example/', locale: 'da' });
  });

  test("the browser's language when it names none", () => {
    expect(contextOf(new FakePage({ navigator: { language: 'nb-NO' } }))).toMatchObject({ locale: 'nb-NO' });
  });

  test('nothing outside pages', () => expect(pageContext({} as Host, [])).toBeUndefined());
});

import { describe, expect, test } from 'vitest';
import type { Route } from '../../../query/http/route.ts';
import { createRouter } from '../../../query/http/router.ts';

const route = (method: Route['method'], path: string): Route => ({
  method,
  path,
  access: 'open',
  handle: () => ({ headers: {} }),
});

describe('routes', () => {
  const router = createRouter([
    route('GET', '/'),
    route('GET', '/api/receipts/:id'),
    route('DELETE', '/api/receipts/:id'),
    route('GET', '/api/receipts/latest'),
    route('GET', '/console/:file*'),
  ]);
  const found = (path: string): Record<string, unknown> =>
    Object.fromEntries([...router.match(path)].map(([method, { route: of, params }]) => [method, [of.path, params]]));

  test.each<[string, Record<string, unknown>]>([
    ['/', { GET: ['/', {}] }],
    [
      '/api/receipts/a%2Fb',
      { GET: ['/api/receipts/:id', { id: 'a/b' }], DELETE: ['/api/receipts/:id', { id: 'a/b' }] },
    ],
    ['/api/receipts/latest', { GET: ['/api/receipts/latest', {}], DELETE: ['/api/receipts/:id', { id: 'latest' }] }],
    ['/console/', { GET: ['/console/:file*', { file: '' }] }],
    ['/console', { GET: ['/console/:file*', { file: '' }] }],
    ['/console/js/app.js', { GET: ['/console/:file*', { file: 'js/app.js' }] }],
    ['/api/receipts/', {}],
    ['/api/receipts/%zz', {}],
    ['/api/receipts/a/b', {}],
    ['/API/receipts/a', {}],
    ['//', {}],
    ['', {}],
  ])('%s', (path, expected) => expect(found(path)).toEqual(expected));

  test('two routes of one address are refused', () => {
    expect(() => createRouter([route('GET', '/a/:x'), route('GET', '/a/:y')])).toThrow('two routes');
    expect(() => createRouter([route('GET', '/a/:x*/b')])).toThrow('last segment');
  });
});

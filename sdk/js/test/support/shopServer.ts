import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { bundle } from '../../scripts/bundle.ts';

/** The shop's own script in a page that loads the SDK as a module; `install` makes the tracker visible to the test. */
const INSTALL = `
  function install(createTracker, gzip, cookies, createSearches, createImpressions) {
    const options = JSON.parse(new URLSearchParams(location.search).get('options'));
    if (options.gzipFrom) options.compress = gzip(options.gzipFrom);
    if (options.cookie) options.cookie = cookies(options.cookieDomain);
    window.notices = { drop: [], error: [], sent: [] };
    window.violations = [];
    addEventListener('securitypolicyviolation', (event) => violations.push(event.violatedDirective));
    addEventListener('pageshow', (event) => { window.restored = event.persisted; });
    window.tracker = createTracker(options);
    window.searches = createSearches && createSearches(tracker, { settleMs: 200 });
    window.impressions = createImpressions && createImpressions(tracker);
    for (const name in notices) tracker.on(name, (notice) => notices[name].push(notice));
    window.clicks = (from, count, properties) => Array.from({ length: count }, (_, index) =>
      tracker.productClicked({ productId: 'SKU-' + (from + index), position: from + index + 1, properties }));
  }
`;
const HEAD = '<!doctype html><html lang="da"><title>Shop</title><link rel="icon" href="data:,">';
const INLINE = '<script>window.inlineRan = true</script>';

export interface ShopServer {
  port: number;
  close(): Promise<void>;
}

/**
 * A shop on a free port: `/` loads the SDK as a module, `/classic` by script tags, `/other` not at all. Every page forbids
 * inline scripts and connections elsewhere than to `connect`.
 */
export async function startShopServer(connect: string): Promise<ShopServer> {
  const files = await bundle();
  const pages = new Map([
    ['/', `${HEAD}${INLINE}<script type="module" src="/shop.js"></script><h1>Shop</h1>`],
    ['/classic', `${HEAD}${INLINE}<script src="/early.js"></script><script async src="/spor.global.js"></script>`],
    ['/other', `${HEAD}<h1>Elsewhere</h1>`],
    ['/frame', `${HEAD}<iframe hidden></iframe>`],
  ]);
  const scripts = new Map([
    [
      '/shop.js',
      `import { createTracker } from '/index.js'; import { gzip } from '/gzip.js'; import { cookies } from '/cookies.js';
       import { createSearches } from '/searches.js'; import { createImpressions } from '/impressions.js';${INSTALL}
       install(createTracker, gzip, cookies, createSearches, createImpressions);`,
    ],
    ['/early.js', `${INSTALL}window.spor = window.spor || []; spor.push((spor) => install(spor.createTracker));`],
    ['/index.js', files.get('index.js')!],
    ...['gzip.js', 'cookies.js', 'searches.js', 'impressions.js'].map((name): [string, string] => [
      `/${name}`,
      files.get(name)!,
    ]),
    ['/spor.global.js', files.get('spor.global.js')!],
  ]);
  const policy = `default-src 'none'; script-src 'self'; img-src data:; frame-src 'self'; connect-src ${connect}`;
  const server = createServer((request, response) => {
    const path = new URL(request.url!, 'http://shop').pathname;
    const text = pages.get(path) ?? scripts.get(path);
    const type = pages.has(path) ? 'text/html; charset=utf-8' : 'text/javascript; charset=utf-8';
    response.writeHead(text === undefined ? 404 : 200, { 'content-type': type, 'content-security-policy': policy });
    response.end(text);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

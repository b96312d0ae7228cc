import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TrackerOptions } from '../../src/api.ts';
import { bundle } from '../../scripts/bundle.ts';

/** A shop whose first page lets the browser prerender two others, and opens one of them. */
export interface PrerenderingShop {
  /** Pages that ran their script while they were prerendered. */
  prerendered: ReadonlySet<string>;
  close(): Promise<void>;
}

const PAGES = ['shown', 'hidden'];
const HEAD = '<!doctype html><html lang="da"><title>Shop</title><link rel="icon" href="data:,">';
const RULES = JSON.stringify({
  prerender: [{ source: 'list', urls: PAGES.map((name) => `/${name}`), eagerness: 'immediate' }],
});
const FIRST = `${HEAD}<script type="speculationrules">${RULES}</script>
  <script>fetch('/both').then(() => { location.href = '/shown'; });</script>`;

/**
 * Opens the shop in a Chromium of its own. Each page sends one click, of a product with the page's name.
 *
 * A browser does not prerender while a tool such as Playwright has a session with its page, so nothing is attached.
 */
export async function openPrerenderingShop(
  executable: string,
  options: Pick<TrackerOptions, 'endpoint' | 'instrumentationKey'>,
): Promise<PrerenderingShop> {
  const files = await bundle();
  const prerendered = new Set<string>();
  const page = (name: string): string => `${HEAD}<script type="module">
    import { createTracker } from '/index.js';
    const tracker = createTracker(${JSON.stringify(options)});
    tracker.productClicked({ productId: ${JSON.stringify(name)} });
    void tracker.flush();
    fetch('/ran?${name}&' + document.prerendering);
  </script>`;
  let both = (): void => undefined;
  const ran = new Promise<void>((resolve) => (both = resolve));
  const server = createServer((request, response) => {
    const [path = '', query = ''] = (request.url ?? '').split('?');
    const [name = '', prerendering] = query.split('&');
    if (path === '/ran' && prerendering === 'true') prerendered.add(name);
    if (prerendered.size === PAGES.length) both();
    if (path === '/both') return void ran.then(() => response.end());
    response.setHeader('content-type', path === '/index.js' ? 'text/javascript' : 'text/html');
    if (path === '/index.js') return void response.end(files.get('index.js'));
    return void response.end(path === '/' ? FIRST : PAGES.includes(path.slice(1)) ? page(path.slice(1)) : '');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const profile = await mkdtemp(join(tmpdir(), 'spor-prerender-'));
  const flags = ['--headless=new', '--no-sandbox', '--disable-gpu', '--no-first-run', `--user-data-dir=${profile}`];
  const { port } = server.address() as AddressInfo;
  const chromium = spawn(executable, [...flags, `http://127.0.0.1:${port}/`], { stdio: 'ignore' });
  const exited = once(chromium, 'exit');
  return {
    prerendered,
    async close() {
      chromium.kill('SIGKILL');
      await exited;
      server.closeAllConnections();
      server.close();
      await rm(profile, { recursive: true, force: true, maxRetries: 10 });
    },
  };
}

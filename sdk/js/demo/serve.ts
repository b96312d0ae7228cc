import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname } from 'node:path';
import { bundle } from '../scripts/bundle.ts';

const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
};
const SDK = new Set(['/index.js', '/searches.js', '/impressions.js']);
const FILES = new Set([
  '/index.html',
  '/product.html',
  '/cart.html',
  '/shop.css',
  '/tracking.js',
  '/catalogue.js',
  '/search.js',
  '/product.js',
  '/cart.js',
]);

export interface DemoOptions {
  /** Of the Event Receiver. */
  endpoint: string;
  /** A browser key. */
  instrumentationKey: string;
  /** 0: any free one. */
  port: number;
}

/** Serves the demo shop on the loopback. @returns where, and the server to close. */
export async function serveDemo(options: DemoOptions): Promise<{ url: string; server: Server }> {
  const { endpoint, instrumentationKey, port } = options;
  const sdk = await bundle();
  const config = `export const endpoint = ${JSON.stringify(endpoint)};
export const instrumentationKey = ${JSON.stringify(instrumentationKey)};`;

  const read = async (path: string): Promise<string | undefined> => {
    if (SDK.has(path)) return sdk.get(path.slice(1))!;
    if (path === '/config.js') return config;
    return FILES.has(path) ? readFile(new URL(`.${path}`, import.meta.url), 'utf8') : undefined;
  };
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://demo');
    const path = pathname === '/' ? '/index.html' : pathname;
    read(path).then(
      (text) =>
        response.writeHead(text ? 200 : 404, { 'content-type': TYPES[extname(path)] ?? 'text/plain' }).end(text),
      (error: unknown) => response.writeHead(500).end(String(error)),
    );
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, server };
}

if (process.argv[1] === import.meta.filename) {
  const [endpoint = 'http://127.0.0.1:4001', instrumentationKey = process.env.SPOR_KEY] = process.argv.slice(2);
  if (!instrumentationKey) {
    process.stderr.write('A browser key is needed: npm run demo -w sdk/js -- http://127.0.0.1:4001 ik_…\n');
    process.exitCode = 1;
  } else {
    const { url } = await serveDemo({ endpoint, instrumentationKey, port: Number(process.env.PORT ?? 4010) });
    process.stdout.write(`Demo shop at ${url}, sending to ${endpoint}\n`);
  }
}

import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Page } from 'playwright-core';
import { findChromium, launchBrowser, NO_CHROMIUM, type Browser } from '../test/support/chromium.ts';

/*
 * localStorage or IndexedDB for the queue? For each: how many of 30 events written by a page that ends in the same task are
 * there for the next page; how long writing holds up the page; and what is left when the whole browser is killed.
 */
const EVENTS = 30;
const ROUNDS = 20;

interface Store {
  name: string;
  /** Run in the page. `open` resolves when it can be written to; `write` only starts writing where it cannot finish. */
  open: () => Promise<void>;
  /** @returns ms the page was held up by the first event, and by all. */
  write: (count: number) => [number, number];
  count: () => Promise<number>;
}

declare global {
  var database: IDBDatabase | undefined;
}

const local: Store = {
  name: 'localStorage',
  open: () => Promise.resolve(),
  write: (count) => {
    const start = performance.now();
    let first = 0;
    for (let index = 0; index < count; index++) {
      localStorage.setItem(`q${Math.random()}`, 'x'.repeat(500));
      first ||= performance.now() - start;
    }
    return [first, performance.now() - start];
  },
  count: () => Promise.resolve(Object.keys(localStorage).length),
};

const indexed: Store = {
  name: 'IndexedDB',
  open: () =>
    new Promise((resolve, reject) => {
      const request = indexedDB.open('spor', 1);
      request.addEventListener('upgradeneeded', () => request.result.createObjectStore('q', { autoIncrement: true }));
      request.addEventListener('error', () => reject(request.error!));
      request.addEventListener('success', () => {
        globalThis.database = request.result;
        resolve();
      });
    }),
  write: (count) => {
    const start = performance.now();
    let first = 0;
    for (let index = 0; index < count; index++) {
      // While the database is opening, nothing can be written at all.
      globalThis.database?.transaction('q', 'readwrite').objectStore('q').add('x'.repeat(500));
      first ||= performance.now() - start;
    }
    return [first, performance.now() - start];
  },
  count: () =>
    new Promise((resolve, reject) => {
      const request = globalThis.database!.transaction('q').objectStore('q').count();
      request.addEventListener('success', () => resolve(request.result));
      request.addEventListener('error', () => reject(request.error!));
    }),
};

async function pageOf(browser: Browser, url: string): Promise<Page> {
  const page = await browser.context.newPage();
  await page.goto(url);
  return page;
}

async function stored(browser: Browser, url: string, store: Store): Promise<number> {
  const page = await pageOf(browser, url);
  await page.evaluate(store.open);
  const count = await page.evaluate(store.count);
  await page.close();
  return count;
}

async function compare(url: string, executable: string, store: Store): Promise<void> {
  const browser = await launchBrowser(executable);
  const blocked: [number, number][] = [];
  const leave = `${url}other`;
  for (const opened of [false, true]) {
    const before = await stored(browser, url, store);
    for (let round = 0; round < ROUNDS; round++) {
      const page = await pageOf(browser, url);
      if (opened) await page.evaluate(store.open);
      // Opening, writing and leaving in one task, as when a visitor clicks at once.
      const task = `(${store.open.toString()})().catch(() => 0); const ms = (${store.write.toString()})(${EVENTS});
        location.href = ${JSON.stringify(leave)}; ms`;
      const times = await page.evaluate<[number, number]>(task);
      if (opened) blocked.push(times);
      await page.waitForURL(leave);
      await page.close();
    }
    const kept = (await stored(browser, url, store)) - before;
    const when = opened ? 'well into a page' : 'at once after load';
    process.stdout.write(`${store.name}: ${kept} of ${ROUNDS * EVENTS} kept by pages left in the same task, ${when}\n`);
  }
  const first = median(blocked.map(([first]) => first));
  const later = median(blocked.map(([first, all]) => (all - first) / (EVENTS - 1)));
  process.stdout.write(
    `${store.name}: holds the page up ${micro(first)} for its first event, then ${micro(later)} each\n`,
  );
  await browser.close();
}

const median = (values: number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!;
const micro = (ms: number): string => `${(ms * 1000).toFixed(0)} µs`;

const executable = findChromium();
if (!executable) throw new Error(NO_CHROMIUM);
const server = createServer((_request, response) =>
  response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><title>Shop</title>'),
);
server.listen(0, '127.0.0.1');
await once(server, 'listening');
const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
for (const store of [local, indexed]) await compare(url, executable, store);
server.closeAllConnections();
server.close();

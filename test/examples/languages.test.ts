import { spawn, spawnSync } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startReceiver, type Receiver } from '../ingest/receiver.ts';
import { startNats, type TestNats } from '../support/nats.ts';

const EXAMPLES = fileURLToPath(new URL('../../examples/', import.meta.url));

interface Language {
  name: string;
  /** Starts the example, from a folder where it may have been built. */
  command: (dir: string) => string[];
  /** Builds it into a folder, where that saves a compiler at each start. */
  build?: (dir: string) => string[];
  /** Tells that the language is here. */
  probe: string[];
}

const LANGUAGES: Language[] = [
  { name: 'Python', command: () => ['python3', `${EXAMPLES}python/spor.py`], probe: ['python3', '--version'] },
  { name: 'PHP', command: () => ['php', `${EXAMPLES}php/spor.php`], probe: ['php', '--version'] },
  {
    name: 'Go',
    build: (dir) => ['go', 'build', '-o', join(dir, 'spor'), `${EXAMPLES}go/spor.go`],
    command: (dir) => [join(dir, 'spor')],
    probe: ['go', 'version'],
  },
  {
    name: 'Java',
    build: (dir) => ['javac', '-d', dir, `${EXAMPLES}java/Spor.java`],
    command: (dir) => ['java', '-XX:TieredStopAtLevel=1', '-cp', dir, 'Spor'],
    probe: ['javac', '-version'],
  },
  { name: 'Ruby', command: () => ['ruby', `${EXAMPLES}ruby/spor.rb`], probe: ['ruby', '--version'] },
  { name: 'curl', command: () => ['sh', `${EXAMPLES}curl/spor.sh`], probe: ['curl', '--version'] },
];

/** Orders as typed into the example, with the total that it must send. */
const ORDERS = [
  { order: ['O-1', 'SKU-1', '3', '0.1'], total: 0.3 },
  { order: ['O-2', 'SKU-2', '1', '1234567.8912'], total: 1_234_567.89 },
];
/** Refused by the receiver: more than anybody orders. */
const NO_ORDER = ['O-3', 'SKU-3', '2000000000', '1'];

let nats: TestNats;
let receiver: Receiver;

beforeAll(async () => {
  nats = await startNats();
  receiver = await startReceiver(nats.url);
});

afterAll(async () => {
  await receiver?.close();
  await nats?.stop();
});

describe('the example in', () => {
  it.concurrent.for(LANGUAGES)('$name sends each order once it can', async (language, { skip }) => {
    const [program, ...options] = language.probe;
    skip(spawnSync(program!, options).status !== 0, `${program} is not installed`);
    await expectEachOrderOnce(language);
  });
});

/** Sends orders through a proxy that fails at first, and compares the stream with them. */
async function expectEachOrderOnce({ name, build, command }: Language): Promise<void> {
  const tenantId = `example-${name.toLowerCase()}`;
  const dir = await mkdtemp(join(tmpdir(), 'spor-test-example-'));
  const key = await receiver.createKey({ tenantId, kind: 'server' });
  const proxy = await startBadProxy(receiver.url);
  const outbox = join(dir, 'outbox');
  const run = (...words: string[]): Promise<string> =>
    runProgram([...command(dir), ...words], { SPOR_URL: proxy.url, SPOR_KEY: key, SPOR_OUTBOX: outbox });
  try {
    if (build) await runProgram(build(dir));
    for (const { order } of ORDERS) await run('add', ...order);
    await run('add', ...NO_ORDER);
    await run('send');
    expect(proxy.faults()).toBe(FAULTS.length);
    const sent = await eventsOf(tenantId);
    expect([...sent.values()].sort(byOrder)).toMatchObject(ORDERS.map(asEvent));
    expect(await leftBehind(outbox)).toContain('O-3');
    // Nothing is left to send, so that no request is made.
    const requests = proxy.requests();
    await run('send');
    expect(proxy.requests()).toBe(requests);
  } finally {
    await proxy.close();
    await rm(dir, { recursive: true, force: true });
  }
}

/** Accepted events of a tenant by id, each as often as it was resent, and always the same. */
async function eventsOf(tenantId: string): Promise<Map<unknown, Record<string, unknown>>> {
  const events = new Map<unknown, Record<string, unknown>>();
  for (const batch of await receiver.stored()) {
    if (!batch.subject.includes(`.${tenantId}.`)) continue;
    for (const { i: _i, v: _v, ...event } of batch.events) {
      expect(events.get(event.eventId) ?? event).toEqual(event);
      events.set(event.eventId, event);
    }
  }
  return events;
}

function asEvent({ order: [orderId, productId, quantity, unitPrice], total }: (typeof ORDERS)[number]): object {
  const lines = [{ productId, quantity: Number(quantity), unitPrice: Number(unitPrice) }];
  return { type: 'OrderCreated', orderId, currency: 'DKK', total, lines };
}

function byOrder(a: Record<string, unknown>, b: Record<string, unknown>): number {
  return String(a.orderId).localeCompare(String(b.orderId));
}

/** Text of the orders that stay in an outbox, for a person to look at. */
async function leftBehind(outbox: string): Promise<string> {
  const folder = join(outbox, 'rejected');
  const names = await readdir(folder).catch(() => []);
  if (names.length === 0) return readFile(outbox, 'latin1'); // a database of one file
  return (await Promise.all(names.map((name) => readFile(join(folder, name), 'utf8')))).join('\n');
}

/** What goes wrong, one request each: a proxy's error, a lost answer, a foreign page, a receiver that is busy. */
const FAULTS = ['bad gateway', 'lost answer', 'login page', 'overloaded'] as const;

interface BadProxy {
  url: string;
  faults: () => number;
  requests: () => number;
  close: () => Promise<void>;
}

/** A proxy before the receiver that fails its first requests. */
async function startBadProxy(target: string): Promise<BadProxy> {
  let requests = 0;
  const server: Server = createServer((request, response) => {
    const fault = FAULTS[requests++];
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const html = (status: number): void => {
        response.writeHead(status, { 'content-type': 'text/html' }).end('<html>{"code":"nonsense"}</html>');
      };
      if (fault === 'bad gateway') return html(502);
      if (fault === 'login page') return html(200);
      if (fault === 'overloaded') {
        const body = JSON.stringify({ code: 'overloaded', message: 'Too much is in flight.' });
        response.writeHead(503, { 'content-type': 'application/json', 'retry-after': '1' }).end(body);
        return;
      }
      const headers = {
        'content-type': 'application/json',
        'x-instrumentation-key': String(request.headers['x-instrumentation-key']),
      };
      fetch(`${target}${request.url}`, { method: 'POST', headers, body: Buffer.concat(chunks) }).then(
        async (answer) => {
          const body = await answer.text();
          if (fault === 'lost answer') return void request.socket.destroy();
          response.writeHead(answer.status, { 'content-type': 'application/json' }).end(body);
        },
        () => request.socket.destroy(),
      );
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    faults: () => Math.min(requests, FAULTS.length),
    requests: () => requests,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Output of a program. @throws Error with its output if it fails */
function runProgram([program, ...options]: string[], env: Record<string, string> = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(program!, options, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    child.stdout.on('data', (piece: Buffer) => (output += piece.toString()));
    child.stderr.on('data', (piece: Buffer) => (output += piece.toString()));
    child.on('error', reject);
    child.on('close', (code) =>
      code === 0 ? resolve(output) : reject(new Error(`${program} ${options.join(' ')} ended with ${code}: ${output}`)),
    );
  });
}

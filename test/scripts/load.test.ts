import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { createLatencies } from '../../scripts/load/latencies.ts';
import { createLedger, type Ledger } from '../../scripts/load/ledger.ts';
import { play } from '../../scripts/load/player.ts';
import { createSender, type Sender } from '../../scripts/load/sender.ts';
import type { ShopEvent } from '../../scripts/shop/session.ts';

/** One request as the receiver saw it. */
interface Seen {
  key: string;
  events: { eventId: string }[];
  atMs: number;
}

let server: Server | undefined;
let sender: Sender | undefined;

afterEach(() => {
  sender?.close();
  server?.close();
  server?.closeAllConnections();
  server = undefined;
});

/** A receiver that answers as the case says; the sender under test is real, the wire is real. */
async function receiver(
  answer: (seen: Seen, number: number, response: ServerResponse) => void,
): Promise<{ url: string; seen: Seen[] }> {
  const seen: Seen[] = [];
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { events } = JSON.parse(Buffer.concat(chunks).toString()) as { events: { eventId: string }[] };
    seen.push({ key: String(request.headers['x-instrumentation-key']), events, atMs: Date.now() });
    answer(seen.at(-1)!, seen.length, response);
  };
  server = createServer((request, response) => void handle(request, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen };
}

function accept(seen: Seen, number: number, response: ServerResponse): void {
  response.writeHead(202, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ receiptId: `r-${number}`, accepted: seen.events.length, rejected: [] }));
}

function event(id: string, options: Partial<ShopEvent> = {}): ShopEvent {
  return {
    tenantId: 'a',
    segmentId: 'web',
    atMs: 0,
    eventId: id,
    type: 'Search',
    json: JSON.stringify({ eventId: id }),
    expected: 'accepted',
    truth: { kind: 'search' },
    ...options,
  };
}

function open(
  url: string,
  options: Partial<Parameters<typeof createSender>[0]> = {},
): { sender: Sender; ledger: Ledger } {
  const ledger = createLedger();
  sender = createSender({
    url,
    keyOf: (tenant, segment) => `ik_${tenant}_${segment}`,
    ledger,
    connections: 4,
    ...options,
  });
  return { sender, ledger };
}

const batch = (...events: ShopEvent[]) => ({ tenantId: 'a', segmentId: 'web', events });

describe('the sender', () => {
  it('notes each accepted event with its receipt, and tells when', async () => {
    const { url, seen } = await receiver(accept);
    const told: string[] = [];
    const { sender, ledger } = open(url, { onAccepted: (_, answer) => told.push(answer.receiptId!) });
    await sender.send(batch(event('1'), event('2')));
    expect([...ledger.accepted]).toEqual([
      ['1', { tenantId: 'a', receiptId: 'r-1' }],
      ['2', { tenantId: 'a', receiptId: 'r-1' }],
    ]);
    expect(told).toEqual(['r-1']);
    expect(seen[0]!.key).toBe('ik_a_web');
    expect(ledger.counts).toMatchObject({ sent: 2, accepted: 2, refused: 0, posts: 1, resends: 0 });
  });

  it('takes verdicts of 202 and 400, and tells those it did not expect', async () => {
    const verdict = (index: number, code: string) => ({ index, code, path: '', message: 'why' });
    const { url } = await receiver((_, number, response) => {
      response.writeHead(number === 1 ? 202 : 400, { 'content-type': 'application/json' });
      const rejected = number === 1 ? [verdict(1, 'field_missing')] : [verdict(0, 'type_unknown')];
      response.end(JSON.stringify({ receiptId: `r-${number}`, accepted: number === 1 ? 1 : 0, rejected }));
    });
    const { sender, ledger } = open(url);
    await sender.send(batch(event('1'), event('2', { expected: 'field_missing' })));
    await sender.send(batch(event('3')));
    expect([...ledger.accepted.keys()]).toEqual(['1']);
    expect(ledger.refused.get('a')).toEqual(
      new Map([
        ['field_missing', 1],
        ['type_unknown', 1],
      ]),
    );
    expect(ledger.surprises).toEqual([{ eventId: '3', expected: 'accepted', got: 'type_unknown', message: 'why' }]);
  });

  it('notices counts that do not add up, and a 400 that judges no event', async () => {
    const { url } = await receiver((_, number, response) => {
      response.writeHead(number === 1 ? 202 : 400, { 'content-type': 'application/json' });
      response.end(
        number === 1 ? '{"receiptId":"r","accepted":1,"rejected":[]}' : '{"code":"body_invalid","message":"…"}',
      );
    });
    const { sender, ledger } = open(url);
    await sender.send(batch(event('1'), event('2')));
    expect(ledger.surprises).toMatchObject([{ message: 'the counts do not add up' }]);
    await sender.send(batch(event('3')));
    expect([...ledger.failures.keys()]).toEqual(['400 body_invalid']);
    expect([...ledger.accepted.keys(), ...ledger.unknown]).toEqual(['1', '2', '3']);
  });

  it('sends the same ids again after 503, no sooner than Retry-After', async () => {
    const { url, seen } = await receiver((request, number, response) => {
      if (number > 1) return accept(request, number, response);
      response.writeHead(503, { 'retry-after': '1' }).end('{"code":"stream_unavailable","message":"…"}');
    });
    const { sender, ledger } = open(url);
    await sender.send(batch(event('1')));
    expect(seen.map(({ events }) => events.map(({ eventId }) => eventId))).toEqual([['1'], ['1']]);
    expect(seen[1]!.atMs - seen[0]!.atMs).toBeGreaterThanOrEqual(1_000);
    expect(ledger.counts).toMatchObject({ sent: 1, accepted: 1, posts: 1, resends: 1 });
  });

  it('sends again after a broken connection', async () => {
    const { url } = await receiver((request, number, response) => {
      if (number > 2) return accept(request, number, response);
      response.destroy();
    });
    const { sender, ledger } = open(url);
    await sender.send(batch(event('1')));
    expect(ledger.counts).toMatchObject({ accepted: 1, resends: 2, unknown: 0 });
  });

  it('sends again after silence', async () => {
    const { url } = await receiver((request, number, response) => {
      if (number > 1) accept(request, number, response);
    });
    const { sender, ledger } = open(url, { timeoutMs: 100 });
    await sender.send(batch(event('1')));
    expect(ledger.counts).toMatchObject({ accepted: 1, resends: 1 });
  });

  it('gives up at once what will never succeed', async () => {
    const { url, seen } = await receiver((_, __, response) => {
      response.writeHead(401).end('{"code":"key_revoked","message":"…"}');
    });
    const { sender, ledger } = open(url);
    await sender.send(batch(event('1')));
    expect(seen.length).toBe(1);
    expect([...ledger.failures]).toEqual([['401 key_revoked', 1]]);
    expect([...ledger.unknown]).toEqual(['1']);
    expect(ledger.accepted.size).toBe(0);
  });

  it('gives up after its time', async () => {
    const { url } = await receiver((_, __, response) => {
      response.writeHead(503, { 'retry-after': '30' }).end('{"code":"overloaded","message":"…"}');
    });
    const { sender, ledger } = open(url, { giveUpMs: 5_000 });
    await sender.send(batch(event('1')));
    expect([...ledger.failures.keys()]).toEqual(['503 overloaded']);
  });
});

describe('the player', () => {
  it('fills batches per tenant and segment, in order', async () => {
    const { url, seen } = await receiver(accept);
    const { sender, ledger } = open(url);
    const events = Array.from({ length: 50 }, (_, index) =>
      event(String(index), { segmentId: index % 2 ? 'app' : 'web' }),
    );
    await play({ events, sender, batchEvents: 10, connections: 1 });
    expect(seen.map(({ key, events }) => [key, events.length])).toEqual([
      ['ik_a_web', 10],
      ['ik_a_app', 10],
      ['ik_a_web', 10],
      ['ik_a_app', 10],
      ['ik_a_web', 5],
      ['ik_a_app', 5],
    ]);
    expect(seen[0]!.events.map(({ eventId }) => eventId)).toEqual([
      '0',
      '2',
      '4',
      '6',
      '8',
      '10',
      '12',
      '14',
      '16',
      '18',
    ]);
    expect(ledger.counts.accepted).toBe(50);
  });

  it('plays events at their time, sends what lingers, and stops when told', async () => {
    const { url, seen } = await receiver(accept);
    const { sender, ledger } = open(url);
    const stop = new AbortController();
    const startedMs = Date.now();
    const events = [0, 10, 400, 1_000_000].map((atMs) => event(String(atMs), { atMs }));
    const playing = play({
      events,
      sender,
      batchEvents: 10,
      connections: 2,
      clock: { startMs: 0, speed: 1 },
      lingerMs: 50,
      signal: stop.signal,
    });
    while (seen.length < 2) await new Promise((resolve) => setTimeout(resolve, 10));
    stop.abort();
    await playing;
    expect(seen.map(({ events }) => events.map(({ eventId }) => eventId))).toEqual([['0', '10'], ['400']]);
    expect(seen[1]!.atMs - startedMs).toBeGreaterThanOrEqual(400);
    expect(ledger.counts.sent).toBe(3);
  });

  it('has no more POSTs under way than connections', async () => {
    let underWay = 0;
    let most = 0;
    const { url } = await receiver((request, number, response) => {
      most = Math.max(most, ++underWay);
      setTimeout(() => {
        underWay--;
        accept(request, number, response);
      }, 10);
    });
    const { sender } = open(url);
    const events = Array.from({ length: 40 }, (_, index) => event(String(index)));
    await play({ events, sender, batchEvents: 1, connections: 3 });
    expect(most).toBe(3);
  });
});

describe('latencies', () => {
  it('are counted within two percent', () => {
    const latencies = createLatencies();
    expect(latencies.quantile(0.5)).toBeUndefined();
    for (let ms = 1; ms <= 1000; ms++) latencies.add(ms);
    expect(latencies.count).toBe(1000);
    for (const q of [0.5, 0.99, 1]) {
      expect(latencies.quantile(q)! / (q * 1000)).toBeGreaterThan(0.98);
      expect(latencies.quantile(q)! / (q * 1000)).toBeLessThan(1.03);
    }
  });
});

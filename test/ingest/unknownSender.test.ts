import { brotliCompressSync, constants, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { keysNamedIn } from '../../ingest/events/bodyKey.ts';
import { LIMITS } from '../../schemas/limits.ts';
import { startNats, type TestNats } from '../support/nats.ts';
import { anEvent, startReceiver, type Receiver } from './receiver.ts';

let nats: TestNats;
let receiver: Receiver;
let key: string;

beforeAll(async () => {
  nats = await startNats();
  receiver = await startReceiver(nats.url);
  key = await receiver.createKey();
});

afterEach(() => vi.restoreAllMocks());

afterAll(async () => {
  await receiver?.close();
  await nats?.stop();
});

const CODINGS: Record<string, (body: string) => Buffer> = {
  gzip: (body) => gzipSync(body),
  deflate: (body) => deflateSync(body),
  br: (body) => brotliCompressSync(body, { params: { [constants.BROTLI_PARAM_LGWIN]: 24 } }),
  zstd: (body) => zstdCompressSync(body),
};

async function send(body: string | Buffer, headers: Record<string, string> = {}): Promise<[number, string]> {
  const response = await receiver.post(body, { headers });
  return [response.status, ((await response.json()) as { code?: string }).code ?? 'ok'];
}

/** Longer than what the receiver asks the stream meanwhile, shorter than each body here. */
const LONG = 20_000;

/** The characters of long texts that this process, with the receiver in it, gave to JSON.parse meanwhile. */
async function parsedBy(task: () => Promise<unknown>): Promise<number> {
  const parse = vi.spyOn(JSON, 'parse');
  await task();
  const lengths = parse.mock.calls.map(([text]) => String(text).length);
  return lengths.filter((length) => length > LONG).reduce((sum, length) => sum + length, 0);
}

const NESTED = '['.repeat(524_288);
const batchOf = (events: number, from = key): object => ({
  instrumentationKey: from,
  events: Array.from({ length: events }, () => anEvent('Search', { properties: { fill: 'x'.repeat(300) } })),
});

describe('a sender with no key that is known', () => {
  it('has nothing parsed, however little it sends and however much that would be', async () => {
    const strangers = [
      NESTED,
      `{"instrumentationKey":"ik_nobody","events":${'['.repeat(400_000)}`,
      JSON.stringify(batchOf(500, 'ik_nobody')),
      JSON.stringify(batchOf(500, key.slice(1))),
    ];
    const parsed = await parsedBy(async () => {
      for (const body of strangers) {
        expect((await send(body))[0], body.slice(0, 40)).toBe(401);
        for (const coding of ['gzip', 'deflate', 'zstd']) {
          expect(await send(CODINGS[coding]!(body), { 'content-encoding': coding })).toEqual([413, 'body_too_large']);
        }
        const br = CODINGS.br!(body);
        expect(await send(br, { 'content-encoding': 'br' })).toEqual([401, 'key_missing']);
      }
    });
    expect(parsed).toBe(0);
  });

  it('has a small body read, so that a first try is told what is wrong', async () => {
    expect(await send('{"events": [')).toEqual([400, 'body_not_json']);
    expect(await send('{"events": []}')).toEqual([401, 'key_missing']);
    expect(await send(JSON.stringify({ instrumentationKey: 'ik_no', events: [] }))).toEqual([401, 'key_unknown']);
  });

  it('with a revoked key, or from another origin, has nothing parsed either', async () => {
    const shop = await receiver.createKey({ origins: ['https://shop.example'] });
    const body = JSON.stringify(batchOf(500, shop));
    const parsed = await parsedBy(async () => {
      expect(await send(body, { origin: 'https://other.example' })).toEqual([403, 'origin_not_allowed']);
    });
    expect(parsed).toBe(0);
  });
});

describe('a key in the body', () => {
  it('is found at any place of a large plain body', async () => {
    const { instrumentationKey, ...rest } = batchOf(900) as { instrumentationKey: string };
    const last = JSON.stringify({ ...rest, instrumentationKey }, null, 1);
    expect(last.length).toBeGreaterThan(LIMITS.keylessBodyBytes);
    expect(await send(last)).toEqual([202, 'ok']);
    expect(await send(JSON.stringify(batchOf(900)), { 'content-type': 'text/plain' })).toEqual([202, 'ok']);
    const escaped = JSON.stringify(batchOf(10)).replace('"ik_', '"ik\\u005f');
    expect(await send(escaped)).toEqual([202, 'ok']);
    expect(await send(JSON.stringify(batchOf(10)).replace('":"ik_', '" :\r\n\t "ik_'))).toEqual([202, 'ok']);
  });

  it('counts where the body has it, and not within an event', async () => {
    const events = [anEvent('Search', { properties: { instrumentationKey: key, fill: 'x'.repeat(2_000) } })];
    expect(await send(JSON.stringify({ events }))).toEqual([401, 'key_missing']);
    const noise = Array.from({ length: 20 }, (_, i) =>
      anEvent('Search', { properties: { instrumentationKey: `ik_${i}` } }),
    );
    expect(await send(JSON.stringify({ events: noise, instrumentationKey: key }))).toEqual([202, 'ok']);
  });

  it.each(['gzip', 'deflate', 'zstd'])('works in a %s body, as an SDK sends it, up to a bound', async (coding) => {
    const small = JSON.stringify(batchOf(80));
    expect(small.length).toBeGreaterThan(30_000);
    expect(await send(CODINGS[coding]!(small), { 'content-encoding': coding })).toEqual([202, 'ok']);
    const large = JSON.stringify(batchOf(300));
    const headers = { 'content-encoding': coding };
    expect(await send(CODINGS[coding]!(large), headers)).toEqual([413, 'body_too_large']);
    expect(await send(CODINGS[coding]!(large), { ...headers, 'x-instrumentation-key': key })).toEqual([202, 'ok']);
  });

  it('is asked for in the header of a br body', async () => {
    const body = CODINGS.br!(JSON.stringify(batchOf(10)));
    expect(await send(body, { 'content-encoding': 'br' })).toEqual([401, 'key_missing']);
    expect(await send(body, { 'content-encoding': 'br', 'x-instrumentation-key': key })).toEqual([202, 'ok']);
  });

  it('over its quota has nothing parsed', async () => {
    const slow = await receiver.createKey({ quotaEventsPerSecond: 1 });
    await send(JSON.stringify(batchOf(500, slow)));
    const parsed = await parsedBy(async () => {
      expect(await send(JSON.stringify(batchOf(500, slow)))).toEqual([429, 'quota_exceeded']);
    });
    expect(parsed).toBe(0);
  });
});

describe('the search for keys', () => {
  it('returns few texts, whatever the body', () => {
    expect(keysNamedIn(Buffer.from('"instrumentationKey":7,"instrumentationKey"'))).toEqual([]);
    expect(keysNamedIn(Buffer.from('{"instrumentationKey":"a\\"b","instrumentationKey":"'))).toEqual(['a"b', '']);
    const many = Array.from({ length: 10_000 }, (_, i) => `"instrumentationKey":"k${i}"`).join();
    expect(keysNamedIn(Buffer.from(many))).toEqual([...Array.from({ length: 8 }, (_, i) => `k${i}`), 'k9999']);
  });
});

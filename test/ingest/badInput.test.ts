import { connect } from 'node:net';
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LIMITS } from '../../schemas/limits.ts';
import { startNats, type TestNats } from '../support/nats.ts';
import { anEvent, startReceiver, type PostOptions, type Receiver, type StoredBatch } from './receiver.ts';

let nats: TestNats;
let receiver: Receiver;
let key: string;

beforeAll(async () => {
  nats = await startNats();
  receiver = await startReceiver(nats.url);
  key = await receiver.createKey();
});

afterAll(async () => {
  await receiver?.close();
  await nats?.stop();
});

interface Failure {
  status: number;
  code: string;
  message: string;
  rejected?: { index: number; code: string; path: string; message: string }[];
}

async function fail(body: unknown, options: PostOptions = {}): Promise<Failure> {
  const response = await receiver.post(body, options);
  return { status: response.status, ...((await response.json()) as Omit<Failure, 'status'>) };
}

/** Posts with the key in the header, and tells what the quarantine got by it. */
async function failAndKeep(body: unknown, options: PostOptions = {}): Promise<Failure & { kept: StoredBatch[] }> {
  const before = (await receiver.stored()).length;
  const headers = { 'x-instrumentation-key': key, ...options.headers };
  const failure = await fail(body, { ...options, headers });
  return { ...failure, kept: (await receiver.stored()).slice(before) };
}

describe('a body that is refused as a whole', () => {
  const cases: [string, string | Uint8Array, string, RegExp][] = [
    ['not JSON', '{"events": [', 'body_not_json', /not JSON/],
    ['empty', '', 'body_not_json', /it is empty/],
    ['no object', '[1, 2]', 'body_invalid', /must be a JSON object, not a list/],
    ['without events', '{}', 'body_invalid', /\/events must be a list, not nothing/],
    ['with events that are no list', '{"events": {}}', 'body_invalid', /\/events must be a list, not an object/],
    ['with a field that is none', '{"Events": []}', 'body_invalid', /"Events" is not a field of a batch/],
    ['with __proto__', '{"__proto__": {"events": []}}', 'body_invalid', /"__proto__" is not a field/],
    ['with two values', '{"events":[]} {}', 'body_not_json', /not JSON/],
  ];
  it.each(cases)('%s: 400, and is kept in the quarantine', async (_name, body, code, message) => {
    const failure = await failAndKeep(body);
    expect(failure).toMatchObject({ status: 400, code });
    expect(failure.message).toMatch(message);
    expect(failure.kept).toHaveLength(1);
    expect(failure.kept[0]!.subject).toMatch(/^quarantine\.\d\.demo-shop\.web$/);
    expect(failure.kept[0]!.header).toMatchObject({
      accepted: 0,
      rejected: [{ index: null, code, path: '', message: failure.message, raw: body }],
    });
  });

  it('not UTF-8: its bytes are kept', async () => {
    const body = Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d]);
    const failure = await failAndKeep(body);
    expect(failure).toMatchObject({ status: 400, code: 'body_not_json' });
    expect(failure.message).toMatch(/not valid UTF-8/);
    const raw = failure.kept[0]!.header.rejected![0]!.raw;
    expect(Buffer.from(raw.split(',')[1]!, 'base64')).toEqual(body);
  });

  it('is kept without the key in it', async () => {
    const failure = await failAndKeep(`{"instrumentationKey": "${key}", "event": []}`);
    expect(failure.kept[0]!.header.rejected![0]!.raw).toBe(
      '{"instrumentationKey": "[instrumentation key]", "event": []}',
    );
  });

  it('is kept by the key in the body too, where the body was JSON', async () => {
    const before = (await receiver.stored()).length;
    expect(await fail({ instrumentationKey: key, events: 1 })).toMatchObject({ status: 400, code: 'body_invalid' });
    expect((await receiver.stored()).length).toBe(before + 1);
  });

  it('without events, or with too many: nothing to keep', async () => {
    const none = await failAndKeep({ events: [] });
    expect(none).toMatchObject({ status: 400, code: 'batch_empty', kept: [] });
    const many = await failAndKeep({ events: Array.from({ length: LIMITS.batchEvents + 1 }, () => 1) });
    expect(many).toMatchObject({ status: 413, code: 'batch_too_large', kept: [] });
    expect(many.message).toContain(`has ${LIMITS.batchEvents + 1} events; at most ${LIMITS.batchEvents}`);
  });

  it('of another type or coding: 415', async () => {
    const typed = (type: string): Promise<Failure> => fail('{}', { headers: { 'content-type': type } });
    for (const type of ['application/x-www-form-urlencoded', 'application/json; charset=latin1', 'text/html']) {
      expect(await typed(type), type).toMatchObject({ status: 415, code: 'content_type_unsupported' });
    }
    for (const coding of ['compress', 'gzip, br']) {
      const failure = await fail('{}', { headers: { 'content-encoding': coding } });
      expect(failure, coding).toMatchObject({ status: 415, code: 'encoding_unsupported' });
    }
  });

  it('over the limit: 413 with both numbers, whether announced or chunked, and the connection stays usable', async () => {
    const body = Buffer.alloc(LIMITS.bodyBytes + 1, ' ');
    const announced = await failAndKeep(body);
    expect(announced).toMatchObject({ status: 413, code: 'body_too_large', kept: [] });
    expect(announced.message).toContain(`${LIMITS.bodyBytes + 1} bytes long; at most ${LIMITS.bodyBytes}`);
    const stream = new ReadableStream<Uint8Array>({
      start(controller) {
        for (let i = 0; i < 20; i++) controller.enqueue(body.subarray(0, LIMITS.bodyBytes / 10));
        controller.close();
      },
    });
    const chunked = await fetch(`${receiver.url}/api/events`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: stream,
      duplex: 'half',
    });
    expect(chunked.status).toBe(413);
    const padded = `${JSON.stringify({ events: [anEvent()] })}`.padEnd(LIMITS.bodyBytes, ' ');
    const exact = await receiver.post(padded, { headers: { 'x-instrumentation-key': key } });
    expect(exact.status).toBe(202);
  });

  it('chunked, in many pieces: is put together', async () => {
    const text = JSON.stringify({ instrumentationKey: key, events: [anEvent('Search', { phrase: 'ø'.repeat(500) })] });
    const bytes = Buffer.from(text);
    const stream = new ReadableStream<Uint8Array>({
      async pull(controller) {
        for (let i = 0; i < bytes.length; i += 100) {
          controller.enqueue(bytes.subarray(i, i + 100));
          await new Promise((resolve) => setImmediate(resolve));
        }
        controller.close();
      },
    });
    const response = await fetch(`${receiver.url}/api/events`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: stream,
      duplex: 'half',
    });
    expect(response.status).toBe(202);
  });

  it('that would not fit the stream once escaped: 413, nothing stored', async () => {
    // Each event is short as JSON text and long as JSON again: numbers are written out, quotes are escaped twice.
    const events = Array.from({ length: 500 }, () => ({
      type: 'x',
      a: Array.from({ length: 1_000 }, () => '1e20').join(),
    }));
    const body = JSON.stringify({ events }).replaceAll(/"(1e20[^"]*)"/g, '[$1]');
    expect(body.length).toBeLessThan(LIMITS.bodyBytes);
    const failure = await failAndKeep(body);
    expect(failure).toMatchObject({ status: 413, code: 'body_too_large', kept: [] });
    expect(failure.message).toMatch(/takes \d+ bytes in the stream; at most \d+ fit/);
  });

  it('that is not there at all: 400', async () => {
    const answer = await raw(
      'POST /api/events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n',
    );
    expect(answer).toMatch(/^HTTP\/1.1 400 [^]*"body_not_json","message":"The body is not JSON: it is empty/);
  });

  it('says where it ends in two ways: refused, and the connection closed', async () => {
    const heads = [
      'Content-Length: 2\r\nContent-Length: 4\r\n',
      'Content-Length: 2\r\nTransfer-Encoding: chunked\r\n',
      'Content-Length: +2\r\n',
    ];
    for (const head of heads) {
      const answer = await raw(
        `POST /api/events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n${head}\r\n{}{}`,
      );
      expect(answer, head).toMatch(/^HTTP\/1.1 400 /);
      expect(answer.match(/HTTP\/1.1/g), head).toHaveLength(1);
    }
  });
});

describe('a compressed body', () => {
  const codings: Record<string, (body: Buffer) => Buffer> = {
    gzip: gzipSync,
    'x-gzip': gzipSync,
    deflate: deflateSync,
    br: brotliCompressSync,
    zstd: zstdCompressSync,
  };
  const body = (): Buffer => Buffer.from(JSON.stringify({ events: [anEvent(), anEvent()] }));
  const send = (bytes: Buffer, coding: string): Promise<Failure & { kept: StoredBatch[] }> =>
    failAndKeep(bytes, { headers: { 'content-encoding': coding } });

  it.each(Object.keys(codings))('%s: is accepted whole, refused when cut short or followed by junk', async (coding) => {
    const compressed = codings[coding]!(body());
    expect(await send(compressed, coding)).toMatchObject({ status: 202, accepted: 2 });
    const broken = [compressed.subarray(0, -1), compressed.subarray(0, -5), compressed.subarray(0, 4), Buffer.alloc(0)];
    for (const bytes of [...broken, Buffer.concat([compressed, Buffer.from('junk')]), Buffer.from('{"events":[]}')]) {
      const failure = await send(bytes, coding);
      expect(failure, `${coding} ${bytes.length}`).toMatchObject({ status: 400, code: 'body_encoding_invalid' });
      const kept = failure.kept[0]!.header.rejected![0]!.raw;
      expect(Buffer.from(kept.split(',')[1]!, 'base64')).toEqual(bytes);
    }
  });

  it.each(['gzip', 'deflate'])('%s, damaged: its checksum tells', async (coding) => {
    const damaged = codings[coding]!(body());
    damaged[damaged.length >> 1]! ^= 0xff;
    expect(await send(damaged, coding)).toMatchObject({ status: 400, code: 'body_encoding_invalid' });
  });

  it('deflate without its wrapper, as some senders have it: is accepted', async () => {
    expect(await send(deflateRawSync(body()), 'deflate')).toMatchObject({ status: 202 });
  });

  it.each(Object.keys(codings))('%s bomb: costs little and is refused', async (coding) => {
    const bomb = codings[coding]!(Buffer.alloc(50_000_000));
    expect(bomb.length).toBeLessThan(LIMITS.bodyBytes);
    const rssBefore = process.memoryUsage().rss;
    const failure = await send(bomb, coding);
    expect(failure).toMatchObject({ status: 413, code: 'body_too_large', kept: [] });
    expect(process.memoryUsage().rss - rssBefore).toBeLessThan(20_000_000);
  });

  it('exactly at the limit: is accepted', async () => {
    const text = JSON.stringify({ events: [anEvent()] }).padEnd(LIMITS.bodyBytes, ' ');
    expect(await send(gzipSync(text), 'gzip')).toMatchObject({ status: 202 });
    expect(await send(gzipSync(`${text} `), 'gzip')).toMatchObject({ status: 413 });
  });
});

describe('an address or method that is none', () => {
  it('answers 404 and 405', async () => {
    const missing = await fetch(`${receiver.url}/api/event`, { method: 'POST', body: '{}' });
    expect([missing.status, ((await missing.json()) as Failure).code]).toEqual([404, 'not_found']);
    const get = await fetch(`${receiver.url}/api/events`);
    expect([get.status, get.headers.get('allow')]).toEqual([405, 'POST, OPTIONS']);
  });
});

/** What the server answers to bytes, until it closes the connection. */
function raw(request: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(receiver.port, '127.0.0.1', () => socket.write(request));
    let answer = '';
    socket.on('data', (chunk) => (answer += chunk.toString()));
    socket.on('close', () => resolve(answer));
    socket.on('error', reject);
  });
}

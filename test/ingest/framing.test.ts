import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
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

afterAll(async () => {
  await receiver?.close();
  await nats?.stop();
});

/** Heads whose bodies have no certain end; every one is followed by `{}`. */
const FAULTS = [
  'Content-Length: 2\r\nContent-Length: 4',
  'Content-Length: 2\r\nContent-Length: 2',
  'Content-Length: 2\r\nX: y\r\ncontent-length: 0',
  'Content-Length: 2\r\nContent-Length:',
  'Content-Length:\r\nContent-Length: 2',
  'Content-Length: ',
  'Content-Length:',
  'Content-Length: +2',
  'Content-Length: -2',
  'Content-Length: two',
  'Content-Length: 0x2',
  'Content-Length: 2, 2',
  'Content-Length: 2.0',
  'Content-Length: 2 2',
  'Content-Length: 99999999999999999999',
  'Content-Length: 18446744073709551618',
  'Content-Length: 2\r\nTransfer-Encoding: chunked',
  'Transfer-Encoding: chunked\r\nContent-Length: 2',
  'Content-Length: 2\r\nTransfer-Encoding:',
  'Transfer-Encoding:\r\nContent-Length: 2',
  'Transfer-Encoding:',
  'Transfer-Encoding: \r\nTransfer-Encoding: chunked',
  'Transfer-Encoding: identity',
  'Transfer-Encoding: gzip, chunked',
  'Transfer-Encoding: chunked, identity',
  'Transfer-Encoding: xchunked',
  'Transfer-Encoding: "chunked"',
];
/** The body `{}` chunked, for the heads that some server might read so. */
const CHUNKED = '2\r\n{}\r\n0\r\n\r\n';

interface Heard {
  answers: number;
  text: string;
}

/** Sends parts, each in a packet of its own, and hears until the connection closes. */
async function say(...parts: string[]): Promise<Heard> {
  const socket = connect(receiver.port, '127.0.0.1').setNoDelay(true);
  let text = '';
  let closed = false;
  socket.on('data', (chunk) => (text += chunk.toString('latin1')));
  socket.on('error', () => undefined); // a reset, while this side still sends
  socket.on('close', () => (closed = true));
  await once(socket, 'connect');
  for (const part of parts) {
    if (closed || socket.destroyed) break;
    await new Promise<void>((resolve) => socket.write(part, 'latin1', () => resolve()));
    if (part !== parts.at(-1)) await new Promise((resolve) => setImmediate(resolve));
  }
  if (!closed) await once(socket, 'close');
  return { answers: text.match(/HTTP\/1\.1 \d/g)?.length ?? 0, text };
}

const head = (line: string, fields: string): string =>
  `${line} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n${fields}\r\n\r\n`;

/** A whole, valid batch, as a smuggled request would be. */
function batch(): string {
  const body = JSON.stringify({ events: [anEvent()] });
  return head('POST /api/events', `X-Instrumentation-Key: ${key}\r\nContent-Length: ${body.length}`) + body;
}

describe('a body without a certain end', () => {
  it.each(FAULTS)('is refused, and nothing after it is served: %j', async (fields) => {
    for (const body of ['{}', CHUNKED]) {
      const refused = head('POST /api/events', fields) + body;
      for (const parts of [
        [refused + batch()],
        [refused + batch() + batch()],
        [refused, batch()],
        [head('POST /api/events', fields), body + batch()],
      ]) {
        const { answers, text } = await say(...parts);
        expect(answers, text).toBeLessThanOrEqual(1);
        // 505: uWebSockets could not read the bytes after the body as a request.
        expect(text).toMatch(/^($|HTTP\/1\.1 (400|505) )/);
      }
    }
    expect(await receiver.stored()).toEqual([]);
  });

  it.each([
    'GET /healthz',
    'HEAD /readyz',
    'GET /openapi.json',
    'OPTIONS /api/events',
    'PUT /api/events',
    'POST /none',
  ])('is refused at every other address too: %s', async (line) => {
    for (const fields of FAULTS) {
      const { answers, text } = await say(head(line, fields) + '{}' + batch());
      expect(answers, `${fields} ${text}`).toBeLessThanOrEqual(1);
      expect(text, fields).toMatch(/^($|HTTP\/1\.1 400 )/);
    }
    expect(await receiver.stored()).toEqual([]);
  });

  it('gets an answer that says so, readable by a page, and is counted', async () => {
    const before = await receiver.metric('spor_ingest_requests_total{code="body_invalid"');
    const { text } = await say(
      head('POST /api/events', 'Origin: https://shop.example\r\nContent-Length: 2\r\nContent-Length: 4') + '{}',
    );
    expect(text).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/);
    expect(text).toContain('Connection: close');
    expect(text).toContain('Access-Control-Allow-Origin: https://shop.example');
    expect(text).toContain('{"code":"body_invalid","message":"Content-Length is given twice. Send the body with one');
    expect(await receiver.metric('spor_ingest_requests_total{code="body_invalid"')).toBe((before || 0) + 1);
  });

  it('leaves whole requests on one connection alone', async () => {
    const closing = (request: string): string => request.replace('Host', 'Connection: close\r\nHost');
    const { text } = await say(head('GET /healthz', 'Content-Length: 2') + '{}' + closing(batch()));
    expect(text.match(/HTTP\/1\.1 (\d+)/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 202']);
    const chunked = head('POST /api/events', `X-Instrumentation-Key: ${key}\r\nTransfer-Encoding: Chunked`) + CHUNKED;
    expect((await say(closing(chunked))).text).toContain('/events must be a list');
  });
});

describe('a head', () => {
  it('may be as large as proxies pass on, whole or in pieces', async () => {
    const large = `Connection: close\r\nCookie: ${'a'.repeat(30_000)}`;
    expect((await say(head('GET /healthz', large))).text).toMatch(/^HTTP\/1\.1 200 /);
    const pieces = head('GET /healthz', large);
    expect((await say(pieces.slice(0, 10_000), pieces.slice(10_000))).text).toMatch(/^HTTP\/1\.1 200 /);
    const lines = `Connection: close\r\n${Array.from({ length: 90 }, (_, index) => `X-${index}: y`).join('\r\n')}`;
    expect((await say(head('GET /healthz', lines))).text).toMatch(/^HTTP\/1\.1 200 /);
  });

  it('with two keys that differ is refused', async () => {
    const keys = `Connection: close\r\nX-Instrumentation-Key: ${key}\r\nX-Instrumentation-Key:`;
    const body = JSON.stringify({ events: [anEvent()] });
    const posted = (second: string): string =>
      head('POST /api/events', `${keys} ${second}\r\nContent-Length: ${body.length}`) + body;
    expect((await say(posted('ik_other'))).text).toMatch(/^HTTP\/1\.1 400 [^]*"code":"key_conflict"/);
    expect((await say(posted(key))).text).toMatch(/^HTTP\/1\.1 202 /);
  });

  it('without a type of the body may be a beacon, and with two codings is none', async () => {
    const body = JSON.stringify({ instrumentationKey: key, events: [anEvent()] });
    const posted = (fields: string): Promise<Heard> =>
      say(
        `POST /api/events HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${fields}Content-Length: ${body.length}\r\n\r\n${body}`,
      );
    expect((await posted('')).text).toMatch(/^HTTP\/1\.1 202 /);
    expect((await posted('Content-Encoding: gzip\r\nContent-Encoding: br\r\n')).text).toMatch(/"encoding_unsupported"/);
  });
});

describe('a chunked body', () => {
  const chunked = `Transfer-Encoding: chunked\r\nX-Instrumentation-Key:`;

  it('is the last of its connection, whatever follows its end', async () => {
    const stored = (await receiver.stored()).length;
    const body = JSON.stringify({ events: [anEvent()] });
    const sent = `${head('POST /api/events', `${chunked} ${key}`)}${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
    const { text } = await say(sent);
    expect(text).toMatch(/^HTTP\/1\.1 202 /);
    expect(text).toContain('Connection: close');
    for (const end of ['0\r\n\r\n', '0\r\nX-Trailer: y\r\n\r\n', '0\r\nXX']) {
      const unknown = `${head('POST /api/events', `${chunked} ik_nobody`)}2\r\n{}\r\n${end}${batch()}`;
      const get = `${head('GET /healthz', 'Transfer-Encoding: chunked')}2\r\n{}\r\n${end}${batch()}`;
      for (const request of [unknown, get]) expect((await say(request)).answers, end).toBeLessThanOrEqual(1);
    }
    expect(await receiver.stored()).toHaveLength(stored + 1);
  });

  it('that is refused is read to its end, so that its sender can read the answer', async () => {
    const piece = '1000\r\n' + ' '.repeat(4_096) + '\r\n';
    const { text } = await say(head('POST /api/events', `${chunked} ik_nobody`), piece, piece, '0\r\n\r\n');
    expect(text).toMatch(/^HTTP\/1\.1 401 [^]*"code":"key_unknown"/);
    const most = Math.ceil(LIMITS.bodyBytes / 4_096) + 1;
    const endless = await say(head('POST /api/events', `${chunked} ik_nobody`), piece.repeat(most));
    expect(endless.answers).toBeLessThanOrEqual(1);
  });
});

describe('a slow body', () => {
  it('is taken as long as it makes progress', async () => {
    const body = JSON.stringify({ instrumentationKey: key, events: [anEvent()] });
    const socket = connect(receiver.port, '127.0.0.1');
    socket.write(head('POST /api/events', `Connection: close\r\nContent-Length: ${body.length}`));
    let text = '';
    socket.on('data', (chunk) => (text += chunk.toString()));
    // Longer than uWebSockets has patience: 12 s.
    for (const part of [0, 1, 2]) {
      socket.write(body.slice(part * 20, (part + 1) * 20));
      await new Promise((resolve) => setTimeout(resolve, 4_100));
    }
    socket.write(body.slice(60));
    await once(socket, 'close');
    expect(text).toMatch(/^HTTP\/1\.1 202 /);
  });
});

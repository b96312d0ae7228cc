import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LIMITS } from '../../schemas/limits.ts';
import { freePort } from '../../scripts/freePort.ts';
import { findProxies, type ProxyName } from '../../scripts/proxies.ts';
import { anEvent, startReceiver, type Receiver } from '../ingest/receiver.ts';
import { startNats, type TestNats } from '../support/nats.ts';
import { until } from '../support/until.ts';

const FOLDER = new URL('../../deploy/proxy/', import.meta.url);

/** How to start each proxy with a configuration. */
const STARTS: Record<ProxyName, { file: string; args: (config: string, dir: string) => string[] }> = {
  nginx: {
    file: 'nginx.conf',
    args: (config, dir) => ['-p', dir, '-c', config, '-e', 'stderr', '-g', 'daemon off; master_process off; pid pid;'],
  },
  haproxy: { file: 'haproxy.cfg', args: (config) => ['-db', '-f', config] },
  caddy: { file: 'Caddyfile', args: (config) => ['run', '--adapter', 'caddyfile', '--config', config] },
};
const FOUND = await findProxies();

let nats: TestNats;
let receiver: Receiver;
let key: string;
let dir: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'spor-test-proxies-'));
  nats = await startNats();
  receiver = await startReceiver(nats.url);
  key = await receiver.createKey();
});

afterAll(async () => {
  await receiver?.close();
  await nats?.stop();
  await rm(dir, { recursive: true, force: true });
});

/** The configuration with the ports of this test, and folders that any user may write. */
async function configFor(name: ProxyName, port: number): Promise<string> {
  const text = await readFile(new URL(STARTS[name].file, FOLDER), 'utf8');
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((what) => `${what}_temp_path ${what};`);
  const ports = { 4001: receiver.port, 4002: receiver.port, 8080: port, 8081: await freePort() };
  const config = join(dir, STARTS[name].file);
  await writeFile(
    config,
    text
      .replaceAll(/\b(4001|4002|8080|8081)\b/g, (found) => String(ports[Number(found) as keyof typeof ports]))
      .replace('spor_http11', `spor_${port}`)
      .replace('spor_http11', `spor_${port}`)
      .replace(/^http \{/m, `http { access_log off; ${temporary.join(' ')}`),
  );
  return config;
}

describe.each(FOUND)('$name in front of a receiver', ({ name, found }) => {
  const why = 'unavailable' in found ? `(skipped: ${found.unavailable})` : '';
  let child: ChildProcess;
  let port: number;

  beforeAll(async () => {
    if ('unavailable' in found) return;
    port = await freePort();
    const env = { ...found.env, PATH: process.env.PATH, HOME: dir, XDG_DATA_HOME: dir, XDG_CONFIG_HOME: dir };
    child = spawn(found.path, STARTS[name].args(await configFor(name, port), dir), { env, stdio: 'ignore' });
    await until(async () => (await fetch(`http://127.0.0.1:${port}/healthz`)).status === 200);
  });

  afterAll(async () => {
    if (!child || child.exitCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  });

  async function say(...parts: string[]): Promise<string> {
    const socket = connect(port, '127.0.0.1').setNoDelay(true);
    let text = '';
    socket.on('data', (chunk) => (text += chunk.toString('latin1')));
    for (const part of parts) await new Promise<void>((resolve) => socket.write(part, 'latin1', () => resolve()));
    await once(socket, 'close');
    return text;
  }

  /** A batch in a request of a line and fields; `chunk` writes its body. */
  function batch(line: string, fields = '', chunk?: (body: string) => string): string {
    const body = JSON.stringify({ events: [anEvent()] });
    const length = chunk ? 'Transfer-Encoding: chunked' : `Content-Length: ${body.length}`;
    const head = `Host: x\r\nConnection: close\r\nContent-Type: application/json\r\nX-Instrumentation-Key: ${key}`;
    return `${line}\r\n${head}\r\n${fields}${length}\r\n\r\n${chunk ? chunk(body) : body}`;
  }

  const POST = 'POST /api/events HTTP/1.1';
  const wide: [string, () => string][] = [
    ['HTTP/1.0', () => batch('POST /api/events HTTP/1.0')],
    ['an absolute address', () => batch('POST http://x/api/events HTTP/1.1')],
    ['needless slashes', () => batch('POST //api//events/ HTTP/1.1')],
    ['a large head', () => batch(POST, `Cookie: ${'a'.repeat(28_000)}\r\n`)],
    ['a wait for 100', () => batch(POST, 'Expect: 100-continue\r\n')],
    [
      'extensions of chunks',
      () => batch(POST, '', (body) => `${body.length.toString(16)};a=b;c="d"\r\n${body}\r\n0;x\r\n\r\n`),
    ],
    [
      'a trailer',
      () => batch(POST, '', (body) => `${body.length.toString(16)}\r\n${body}\r\n0\r\nX-Trailer: y\r\n\r\n`),
    ],
  ];
  // HAProxy drops trailers from version 3.2 on.
  const passed = wide.filter(([what]) => name !== 'haproxy' || what !== 'a trailer');

  it.skipIf(why !== '').each(passed)(`takes a batch with %s ${why}`, async (_what, request) => {
    expect(await say(request())).toMatch(/^(?:HTTP\/1\.1 100 [^]*)?HTTP\/1\.[01] 202 [^]*"accepted":1/);
  });

  it.skipIf(why !== '')(`passes health checks of HTTP/1.0 without a host ${why}`, async () => {
    expect(await say('GET /readyz HTTP/1.0\r\n\r\n')).toMatch(/^HTTP\/1\.[01] 200 [^]*"status":"ready"/);
  });

  it.skipIf(why !== '')(`leaves refusals to the receiver, which pages can read ${why}`, async () => {
    const origin = 'https://shop.example';
    const body = ' '.repeat(LIMITS.bodyBytes + 1);
    const large = await fetch(`http://127.0.0.1:${port}/api/events`, { method: 'POST', headers: { origin }, body });
    expect([large.status, large.headers.get('access-control-allow-origin')]).toEqual([413, origin]);
    expect(await large.json()).toMatchObject({ code: 'body_too_large' });
    const asked = { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'traceparent' };
    const preflight = await fetch(`http://127.0.0.1:${port}/api/events`, { method: 'OPTIONS', headers: asked });
    expect([preflight.status, preflight.headers.get('access-control-allow-headers')]).toEqual([
      204,
      expect.stringContaining('traceparent'),
    ]);
  });
});

it('a receiver alone refuses some of that by itself, as docs/proxy.md says', async () => {
  const refused = async (bytes: string): Promise<string> => {
    const socket = connect(receiver.port, '127.0.0.1', () => socket.write(bytes));
    let text = '';
    socket.on('data', (chunk) => (text += chunk.toString()));
    await once(socket, 'close');
    return text.slice(0, 12);
  };
  const head = (fields: number): string => `GET /readyz HTTP/1.1\r\nHost: x\r\n${'A: b\r\n'.repeat(fields - 1)}`;
  const fields = 'Host: x\r\nTransfer-Encoding: chunked\r\n\r\n2';
  expect(await refused('GET /readyz HTTP/1.0\r\n\r\n')).toBe('HTTP/1.1 505');
  expect(await refused('GET http://x/readyz HTTP/1.1\r\nHost: x\r\n\r\n')).toBe('HTTP/1.1 505');
  expect(await refused(`${head(99)}\r\n`)).toBe('HTTP/1.1 431');
  expect(await refused(`${head(97)}Connection: close\r\n\r\n`)).toBe('HTTP/1.1 200');
  expect(await refused('GET /readyz HTTP/1.1\r\nA: b\r\n\r\n')).toBe('HTTP/1.1 400');
  expect(await refused(`POST /api/events HTTP/1.1\r\n${fields};x=y\r\n{}\r\n0\r\n\r\n`)).toBe('HTTP/1.1 400');
  expect(await refused(`POST /api/events HTTP/1.1\r\n${fields}\r\n{}\r\n0\r\nX: y\r\n\r\n`)).toBe('HTTP/1.1 505');
});

it('Envoy, which Debian does not have, is configured alike', async () => {
  const { static_resources: all } = parse(await readFile(new URL('envoy.yaml', FOLDER), 'utf8')) as {
    static_resources: Record<'listeners' | 'clusters', { name: string }[]>;
  };
  expect(all.listeners.map(({ name }) => name)).toEqual(['events', 'queries']);
  expect(all.clusters.map(({ name }) => name)).toEqual(['receivers', 'query_servers']);
  expect(JSON.stringify(all)).toMatch(/"accept_http_10":true.*"idle_timeout":"5s"/);
});

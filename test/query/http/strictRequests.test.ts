import { mkdir, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startConsoleStack, type ConsoleStack } from '../../console/stack.ts';

let stack: ConsoleStack;

beforeAll(async () => {
  stack = await startConsoleStack('shop');
  // Known by a key, by a token and by a table; none has an event.
  await stack.createKey('keyed', 'web');
  await stack.createKey('shop', 'web');
  const table = join(fileURLToPath(stack.stack.lakeUrl), 'quarantine', 'tenant=tabled', '_delta_log');
  await mkdir(table, { recursive: true });
  await writeFile(join(table, '_last_checkpoint'), '');
});

afterAll(() => stack?.close());

async function answer(
  path: string,
  options: { token?: string; tenant?: string; body?: unknown } = {},
): Promise<{ status: number; code?: string; message?: string }> {
  const { token = stack.operator, ...rest } = options;
  const response = await stack.call(token, path, rest);
  const { code, message } = (await response.json()) as { code?: string; message?: string };
  return { status: response.status, ...(code === undefined ? {} : { code, message: message! }) };
}

const ASK = { sql: 'select count(*) from events' };

describe('a tenant that an operator names', () => {
  const about: [string, unknown][] = [
    ['/api/query', ASK],
    ['/api/reports', undefined],
    ['/api/reports/revenue', undefined],
    ['/api/completeness', undefined],
    ['/api/receipts/mgq3x0ab-2-1z-0', undefined],
    ['/api/changes', undefined],
    ['/api/lag', undefined],
    ['/api/live', undefined],
    ['/api/keys', undefined],
  ];

  test.each(about)('is refused by %s where nobody knows it', async (path, body) => {
    const { status, code, message } = await answer(path, { tenant: 'shpo', body });
    expect([status, code]).toEqual([404, 'tenant_unknown']);
    expect(message).toContain('shpo');
  });

  test('is refused by /api/tokens as well', async () => {
    expect(await answer('/api/tokens?tenant=shpo')).toMatchObject({ status: 404, code: 'tenant_unknown' });
    expect((await answer('/api/tokens?tenant=shop')).status).toBe(200);
  });

  test.each(['keyed', 'shop', 'tabled'])('answers empty where it is known and has sent nothing: %s', async (tenant) => {
    const response = await stack.call(stack.operator, '/api/keys', { tenant });
    expect(response.status).toBe(200);
  });

  test.each(['keyed', 'shop'])('answers questions where it has sent nothing: %s', async (tenant) => {
    const response = await stack.call(stack.operator, '/api/query', { tenant, body: ASK });
    expect([response.status, await response.json()]).toMatchObject([200, { rows: [[0]] }]);
  });

  test('becomes known by its first key', async () => {
    expect(await answer('/api/keys', { tenant: 'newborn' })).toMatchObject({ code: 'tenant_unknown' });
    const created = await answer('/api/keys', { tenant: 'newborn', body: { segmentId: 'web' } });
    expect(created.status).toBe(201);
    expect((await answer('/api/keys', { tenant: 'newborn' })).status).toBe(200);
  });
});

describe('a value that means nothing', () => {
  const meaningless = [
    '/api/completeness?date=2026-02-31 /api/completeness?date=2025-02-29 /api/completeness?date=',
    '/api/completeness?date=2026-11-23%20 /api/completeness?date=2026-11-23%0D /api/completeness?day=2026-11-23',
    '/api/completeness?date=2026-11-23&date=2026-11-24 /api/session?tenant=shop /api/lag?shard=1 /api/keys?segment=web',
    '/api/receipts/mgq3x0ab-2-1z-0?wait=1 /api/live?Key=0123456789abcdef /api/live?segment=web&segment=app',
    '/api/reports?name=revenue',
  ].flatMap((line) => line.split(' '));
  test.each(meaningless)('is refused in %s', async (path) => {
    expect(await answer(path, { token: stack.reader })).toMatchObject({ status: 400, code: 'parameter_invalid' });
  });

  test.each(['/api/tokens?segment=web', '/api/tokens?tenant=shop&tenant=keyed'])('is refused in %s', async (path) => {
    expect(await answer(path)).toMatchObject({ status: 400, code: 'parameter_invalid' });
  });

  test('is refused where it names a key of nobody, or of another tenant', async () => {
    const { keys } = (await (await stack.call(stack.operator, '/api/keys', { tenant: 'keyed' })).json()) as {
      keys: { id: string }[];
    };
    for (const id of ['0123456789abcdef', keys[0]!.id])
      expect(await answer(`/api/live?key=${id}`, { token: stack.reader })).toMatchObject({
        status: 404,
        code: 'secret_unknown',
      });
  });

  test.each([
    ['?format=csv', ASK, 'parameter_invalid'],
    ['?from=2026-11-23', ASK, 'parameter_invalid'],
    ['?version=1&version=2', ASK, 'parameter_invalid'],
    ['?version=0', { ...ASK, version: 0 }, 'body_invalid'],
    ['?snapshot=live', { ...ASK, snapshot: 'committed' }, 'body_invalid'],
    ['', { ...ASK, from: '2026-02-31' }, 'body_invalid'],
    ['', { ...ASK, to: '2026-04-31' }, 'body_invalid'],
    ['', { ...ASK, from: '2026-11-24', to: '2026-11-23' }, 'body_invalid'],
  ])('is refused in a query: %s %j', async (query, body, code) => {
    expect(await answer(`/api/query${query}`, { token: stack.reader, body })).toMatchObject({ status: 400, code });
  });

  test.each(['2999-02-31T00:00:00Z', '2999-13-01T00:00:00Z', '2999-01-01'])('is no end of a key: %s', async (at) => {
    const body = { segmentId: 'web', expiresAt: at };
    expect(await answer('/api/keys', { tenant: 'shop', body })).toMatchObject({ status: 400, code: 'body_invalid' });
  });
});

/** Sends bytes, and reads until the server closes, or has said `until`. */
async function say(bytes: string, until?: RegExp): Promise<string> {
  const { hostname, port } = new URL(stack.stack.queryUrl);
  const socket = connect(Number(port), hostname);
  let text = '';
  await new Promise<void>((resolve) => {
    socket.on('data', (chunk) => {
      text += chunk.toString();
      if (until?.test(text)) resolve();
    });
    socket.on('error', () => resolve()).on('close', () => resolve());
    socket.write(bytes, 'latin1');
  });
  socket.destroy();
  return text;
}

const ASKING = 'POST /api/query HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n';

describe('a request that Node itself refuses', () => {
  test.each([
    ['no method', 'HELLO WORLD\r\n\r\n', 400, 'request_malformed'],
    ['TLS', '\x16\x03\x01\x02\x00', 400, 'request_malformed'],
    ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400, 'request_malformed'],
    ['no Host', 'GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n', 400, 'request_malformed'],
    ['two lengths', `${ASKING}Content-Length: 1\r\nContent-Length: 2\r\n\r\n`, 400, 'request_malformed'],
    ['length and chunks', `${ASKING}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n`, 400, 'request_malformed'],
    ['a large head', `GET / HTTP/1.1\r\nHost: x\r\nCookie: ${'a'.repeat(33_000)}\r\n\r\n`, 431, 'head_too_large'],
    ['an expectation', `${ASKING}Expect: tea\r\nConnection: close\r\n\r\n`, 417, 'expectation_failed'],
    ['CONNECT', 'CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n', 405, 'method_not_allowed'],
  ])('has a code, and can be read by a page: %s', async (_what, bytes, status, code) => {
    const line = `spor_lake_requests_total{route="none",code="${code}"`;
    const before = await counted(line);
    const [head = '', body = ''] = (await say(bytes)).split('\r\n\r\n');
    expect(head).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(head).toMatch(/access-control-allow-origin: \*/i);
    expect(head).toMatch(/connection: close/i);
    expect(JSON.parse(body)).toEqual({ code, message: expect.any(String) as string });
    expect(await counted(line)).toBe(before + 1);
  });

  async function counted(line: string): Promise<number> {
    const text = await (await fetch(new URL('/metrics', stack.stack.queryUrl))).text();
    return Number(
      text
        .split('\n')
        .find((row) => row.startsWith(line))
        ?.split(' ')
        .at(-1) ?? 0,
    );
  }
});

describe('a caller who waits to be asked for its body', () => {
  const asking = (token: string, fields: string): string =>
    `${ASKING}Authorization: Bearer ${token}\r\nExpect: 100-continue\r\n${fields}\r\n\r\n`;

  test('is asked if it is read', async () => {
    expect(await say(asking(stack.reader, 'Content-Length: 20'), /100/)).toBe('HTTP/1.1 100 Continue\r\n\r\n');
  });

  test('is not asked for what is refused by its head', async () => {
    const refused: [string, number, string][] = [
      [asking('rt_nobody', 'Content-Length: 20'), 401, 'token_unknown'],
      [asking(stack.reader, 'Content-Length: 300000'), 413, 'body_too_large'],
      [asking(stack.reader, 'Content-Length: 20\r\nContent-Encoding: gzip'), 415, 'encoding_unsupported'],
      [asking(stack.reader, 'Content-Length: 20').replace('/api/query', '/api/nothing'), 404, 'not_found'],
    ];
    for (const [bytes, status, code] of refused) {
      const text = await say(bytes);
      expect(text).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
      expect(text).toContain(`"code":"${code}"`);
    }
  });
});

describe('a head', () => {
  test.each([
    ['content-encoding', 'gzip', 'encoding_unsupported'],
    ['content-type', 'application/json; charset=utf-16', 'content_type_unsupported'],
    ['content-type', 'text/plain', 'content_type_unsupported'],
  ])('that no body can follow is 415: %s: %s', async (name, value, code) => {
    const authorization = `Bearer ${stack.reader}`;
    const response = await fetch(new URL('/api/query', stack.stack.queryUrl), {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization, [name]: value },
      body: JSON.stringify(ASK),
    });
    expect([response.status, ((await response.json()) as { code: string }).code]).toEqual([415, code]);
  });

  test('with two tokens that differ is refused', async () => {
    const tokens = `Authorization: Bearer ${stack.reader}\r\nAuthorization: Bearer rt_other`;
    expect(await say(`GET /api/reports HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${tokens}\r\n\r\n`)).toMatch(
      /^HTTP\/1.1 400 [^]*"token_conflict"/,
    );
  });

  test('may be large, name its address in full, and ask for HEAD', async () => {
    const large = `Connection: close\r\nCookie: ${'a'.repeat(30_000)}`;
    expect(await say(`GET http://x/healthz HTTP/1.1\r\nHost: x\r\n${large}\r\n\r\n`)).toMatch(/^HTTP\/1.1 200 /);
    expect(await say(`HEAD //metrics/ HTTP/1.0\r\n\r\n`)).toMatch(/^HTTP\/1.1 200 /);
  });

  test('keeps its connection for longer than load balancers do', async () => {
    expect((await fetch(new URL('/healthz', stack.stack.queryUrl))).headers.get('keep-alive')).toBe('timeout=620');
  });
});

import { mkdir, writeFile } from 'node:fs/promises';
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

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readServerEvents, type ServerEvent } from '../../console/serverEvents.ts';
import type { LiveEvent } from '../../query/live/verdicts.ts';
import { keyId, secretHash } from '../../schemas/keys.ts';
import { until } from '../support/until.ts';
import { startConsoleStack, type ConsoleStack } from './stack.ts';

let stack: ConsoleStack;
let key: string;

beforeAll(async () => {
  stack = await startConsoleStack('shop');
  key = await stack.createKey('shop', 'web');
  await stack.createKey('other', 'web');
});

afterAll(() => stack?.close());

const search = (change: Record<string, unknown> = {}): Record<string, unknown> => ({
  eventId: crypto.randomUUID(),
  type: 'Search',
  timestamp: new Date().toISOString(),
  sessionId: 's-1',
  phrase: 'shoes',
  resultsCount: 3,
  ...change,
});

async function codeOf(response: Promise<Response>): Promise<[number, string]> {
  const answer = await response;
  return [answer.status, ((await answer.json()) as { code: string }).code];
}

describe('who may do what', () => {
  test('a read token is of its tenant, an operator token of the one it names', async () => {
    const { call, reader, operator } = stack;
    const rows = async (response: Promise<Response>): Promise<unknown> =>
      ((await (await response).json()) as { rows: unknown }).rows;
    const ask = { sql: 'select 1' };
    expect(await rows(call(reader, '/api/query', { body: ask }))).toEqual([[1]]);
    expect(await rows(call(operator, '/api/query', { body: ask, tenant: 'other' }))).toEqual([[1]]);
    expect(await codeOf(call(operator, '/api/query', { body: ask }))).toEqual([400, 'tenant_missing']);
    expect(await codeOf(call(operator, '/api/query', { body: ask, tenant: '../x' }))).toEqual([400, 'tenant_missing']);
    expect(await codeOf(call(reader, '/api/query', { body: ask, tenant: 'other' }))).toEqual([403, 'tenant_forbidden']);
  });

  test('a session names what may be chosen', async () => {
    const { call, reader, operator } = stack;
    expect(await (await call(reader, '/api/session')).json()).toMatchObject({
      role: 'reader',
      tenants: [{ tenantId: 'shop', segmentIds: ['web'] }],
    });
    const session = (await (await call(operator, '/api/session')).json()) as { tenants: { tenantId: string }[] };
    expect(session).toMatchObject({ role: 'operator' });
    expect(session.tenants.map(({ tenantId }) => tenantId)).toEqual(['other', 'shop']);
  });

  test.each([
    ['/api/keys', { segmentId: 'web' }],
    ['/api/keys/0123456789abcdef/revoke', {}],
    ['/api/tokens', {}],
    ['/api/tokens/0123456789abcdef/revoke', {}],
  ])('a read token may not POST %s', async (path, body) => {
    expect(await codeOf(stack.call(stack.reader, path, { body }))).toEqual([403, 'operator_required']);
  });

  test('nor list tokens, nor see the keys of others', async () => {
    const { call, reader } = stack;
    expect(await codeOf(call(reader, '/api/tokens'))).toEqual([403, 'operator_required']);
    const { keys } = (await (await call(reader, '/api/keys')).json()) as { keys: { tenantId: string }[] };
    expect(keys.map(({ tenantId }) => tenantId)).toEqual(['shop']);
  });

  test('a page of another site gets no leave to use a token', async () => {
    const preflight = await fetch(new URL('/api/keys', stack.stack.queryUrl), {
      method: 'OPTIONS',
      headers: { origin: 'https://evil.example', 'access-control-request-method': 'POST' },
    });
    expect([...preflight.headers.keys()].filter((name) => name.startsWith('access-control'))).toEqual([]);
    const simple = await fetch(new URL('/api/keys', stack.stack.queryUrl), { method: 'POST', body: '{}' });
    expect(simple.status).toBe(401);
  });
});

describe('keys and tokens over HTTP', () => {
  test('a key is shown once, works at the receiver, and is refused once revoked; the log names who did it', async () => {
    const { call, operator, post } = stack;
    const body = { segmentId: 'app', kind: 'server', label: 'till', quotaEventsPerSecond: 50 };
    const answer = await call(operator, '/api/keys', { tenant: 'shop', body });
    const { key: secret, id } = (await answer.json()) as { key: string; id: string };
    expect([answer.status, id]).toEqual([201, keyId(secretHash(secret))]);
    await until(async () => (await post(secret, { events: [search()] })).status === 202);
    const listed = await (await call(operator, '/api/keys', { tenant: 'shop' })).text();
    expect(listed).toContain(`"id":"${id}"`);
    expect(listed).not.toContain(secret);
    const revoked = await call(operator, `/api/keys/${id}/revoke`, { body: {} });
    expect(await revoked.json()).toMatchObject({ id, state: 'revoked', label: 'till' });
    await until(async () => (await post(secret, { events: [search()] })).status === 401);
    // The service writes its log in its own time, and may be in the middle of a line.
    let log = '';
    const audited = (): string[] =>
      log.split('\n').filter((line) => line.includes('"audit":true') && line.endsWith('}'));
    await until(async () => {
      log = await readFile(join(stack.stack.dir, 'logs', 'lake.log'), 'utf8');
      return audited().length >= 2;
    });
    expect(audited().map((line) => JSON.parse(line) as object)).toMatchObject([
      { action: 'key created', by: keyId(secretHash(operator)), keyId: id, tenantId: 'shop' },
      { action: 'key revoked', by: keyId(secretHash(operator)), keyId: id, tenantId: 'shop' },
    ]);
    expect(log).not.toContain(secret);
  });

  test.each<[string, string, unknown]>([
    ['no segment', '/api/keys', {}],
    ['a segment that would leave its folder', '/api/keys', { segmentId: '../other' }],
    ['an origin with a wildcard', '/api/keys', { segmentId: 'web', origins: ['https://*.a'] }],
    ['an origin with a path', '/api/keys', { segmentId: 'web', origins: ['https://shop.example/a'] }],
    ['a kind that is none', '/api/keys', { segmentId: 'web', kind: 'app' }],
    ['an expiry that has gone by', '/api/keys', { segmentId: 'web', expiresAt: '2020-01-01T00:00:00Z' }],
    ['an operator token', '/api/tokens', { role: 'operator' }],
    ['a segment that is none', '/api/tokens', { segmentIds: ['A B'] }],
  ])('%s is refused', async (_what, path, body) => {
    expect(await codeOf(stack.call(stack.operator, path, { tenant: 'shop', body }))).toEqual([400, 'body_invalid']);
  });

  test('an id that is not there', async () => {
    const path = '/api/keys/0123456789abcdef/revoke';
    expect(await codeOf(stack.call(stack.operator, path, { body: {} }))).toEqual([404, 'secret_unknown']);
  });
});

describe('live events', () => {
  /** Reads events of the stream until one is wanted. */
  async function follow(
    token: string,
    path = '/api/live',
  ): Promise<{ next: () => Promise<ServerEvent>; stop: () => void }> {
    const gone = new AbortController();
    const response = await stack.call(token, path, { signal: gone.signal });
    expect(response.headers.get('content-type')).toContain('text/event-stream');
    const events = readServerEvents(response.body!);
    return {
      next: async () => (await events.next()).value as ServerEvent,
      stop: () => gone.abort(),
    };
  }

  test('show verdict, reason and row of one key’s events, and of nobody else’s', async () => {
    const other = await stack.createKey('shop', 'web');
    const live = await follow(stack.reader, `/api/live?key=${keyId(secretHash(key))}`);
    expect((await live.next()).name).toBe('hello');
    const [good, bad] = [search({ phrase: 'good' }), search({ phrase: ['many'] })];
    await stack.post(other, { events: [search({ phrase: 'not mine' })] });
    await stack.post(key, { events: [good, bad] });
    const { name, data } = await live.next();
    live.stop();
    const { events } = data as { events: LiveEvent[] };
    expect(name).toBe('events');
    expect(events).toMatchObject([
      { outcome: 'rejected', index: 1, code: 'field_type', path: '/phrase', eventId: bad.eventId },
      { outcome: 'accepted', index: 0, type: 'Search', segmentId: 'web', row: { phrase: 'good', tenant_id: 'shop' } },
    ]);
    expect(JSON.parse(events[0]!.raw!)).toEqual(bad);
    // What was shown is what is stored.
    const sql = `select receipt_id, phrase, results_count from searches where event_id = '${String(good.eventId)}'`;
    const { row, receiptId } = events[1]!;
    await until(async () => (await stack.ask('shop', sql)).rows.length === 1);
    expect((await stack.ask('shop', sql)).rows).toEqual([[receiptId, 'good', 3]]);
    expect(row).toMatchObject({ receipt_id: receiptId, results_count: 3 });
  });

  test('show what can be read, and count the rest', async () => {
    const live = await follow(stack.reader);
    expect((await live.next()).name).toBe('hello');
    await stack.post(key, { events: Array.from({ length: 200 }, () => search()) });
    let [shown, skipped] = [0, 0];
    while (shown + skipped < 200) {
      const { name, data } = await live.next();
      if (name === 'events') shown += (data as { events: LiveEvent[] }).events.length;
      if (name === 'skipped') skipped += (data as { events: number }).events;
    }
    live.stop();
    expect([shown, skipped]).toEqual([50, 150]);
  });

  test('end when the token does, and are few per token', async () => {
    const { call, operator } = stack;
    const created = await (await call(operator, '/api/tokens', { tenant: 'shop', body: { label: 'live' } })).json();
    const { token, id } = created as { token: string; id: string };
    const views = [];
    for (let opened = 0; opened < 4; opened++) views.push(await follow(token));
    expect(await codeOf(call(token, '/api/live'))).toEqual([429, 'too_many_viewers']);
    for (const view of views.slice(1)) view.stop();
    await views[0]!.next();
    await call(operator, `/api/tokens/${id}/revoke`, { body: {} });
    expect(await views[0]!.next()).toMatchObject({ name: 'end', data: { code: 'token_revoked' } });
    expect(await codeOf(call(token, '/api/live'))).toEqual([401, 'token_revoked']);
  });
});

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { LAKE_SETTINGS } from '../../../lake/config.ts';
import { deltaTable } from '../../../lake/delta/table.ts';
import { lakeFolderFiles } from '../../../lake/files/localFiles.ts';
import { catalogueSpec } from '../../../lake/layout/catalogue.ts';
import { openStorage } from '../../../lake/storage/open.ts';
import type { Storage } from '../../../lake/storage/storage.ts';
import { createSlots } from '../../../query/engine/slots.ts';
import { QueryMetrics } from '../../../query/http/metrics.ts';
import { catalogueRoute } from '../../../query/http/routes/catalogue.ts';
import { startQueryServer, type QueryServer } from '../../../query/http/server.ts';
import { readConfig } from '../../../runtime/config.ts';
import { createLog } from '../../../runtime/log.ts';
import { createMetrics } from '../../../runtime/metrics.ts';
import type { CatalogueReport } from '../../../schemas/catalogue.ts';
import { newSecret, secretHash, type KeyRecord } from '../../../schemas/keys.ts';
import type { SecretWatch } from '../../../stream/secretStore.ts';

const MAX_BYTES = 4_000;
const log = createLog('test', 'silent');
let dir: string;
let storage: Storage;
let server: QueryServer;
const keys = new Map<string, KeyRecord>();

function watched<T>(records: Map<string, T>): SecretWatch<T> {
  return {
    get: (hash) => records.get(hash),
    entries: () => records.entries(),
    size: records.size,
    staleSinceMs: undefined,
    current: true,
    untilCurrent: () => Promise.resolve(true),
    stop: () => undefined,
  };
}

function createKey(change: Partial<KeyRecord> = {}): string {
  const key = newSecret('ik');
  const record = { tenantId: 'shop', segmentId: 'web', kind: 'server' as const, origins: [], label: '' };
  keys.set(secretHash(key), { ...record, createdAt: new Date().toISOString(), ...change });
  return key;
}
const key = createKey();

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'spor-test-put-'));
  storage = await openStorage(`file:${join(dir, 'lake')}`, readConfig(LAKE_SETTINGS, {}));
  const lake = { storage, localFiles: lakeFolderFiles(storage) };
  server = await startQueryServer({
    host: '127.0.0.1',
    port: 0,
    routes: [catalogueRoute(lake, { maxBytes: MAX_BYTES, log })],
    metrics: new QueryMetrics(createMetrics('lake'), createSlots({ concurrent: 1, queued: 1 })),
    log,
    isKnownTenant: () => Promise.resolve(true),
    tokens: () => watched(new Map()),
    keys: () => watched(keys),
  });
});
afterAll(async () => {
  await server.close(1_000);
  storage.close();
  await rm(dir, { recursive: true, force: true });
});

type Answer = Partial<CatalogueReport> & { code?: string; report?: CatalogueReport };

async function put(
  body: string,
  { query = '', type = 'application/json', headers = { 'x-instrumentation-key': key } as Record<string, string> } = {},
): Promise<[number, Answer]> {
  const response = await fetch(`http://127.0.0.1:${server.port}/api/catalogue${query}`, {
    method: 'PUT',
    headers: { 'content-type': type, ...headers },
    body,
  });
  return [response.status, (await response.json()) as Answer];
}

const products = (...list: unknown[]): string => JSON.stringify({ products: list });

test('a server key puts products of its own segment, in part and whole', async () => {
  const first = await put(products({ productId: 'a', name: 'A', stock: 2 }, { productId: 'b' }));
  expect(first).toMatchObject([200, { tenantId: 'shop', segmentId: 'web', mode: 'part', added: 2, version: 0 }]);
  const ndjson = '{"productId":"a","stock":0}\n{"productId":"c"}\n';
  expect(await put(ndjson, { type: 'application/x-ndjson' })).toMatchObject([200, { added: 1, changed: 1 }]);
  const other = createKey({ tenantId: 'rival', segmentId: 'app' });
  expect(await put(products({ productId: 'a' }), { headers: { authorization: `Bearer ${other}` } })).toMatchObject([
    200,
    { tenantId: 'rival', segmentId: 'app', added: 1 },
  ]);
  const dry = await put(products({ productId: 'a', name: 'A' }), { query: '?mode=whole&dryRun=true' });
  expect(dry).toMatchObject([200, { removed: 2, changed: 1, dryRun: true }]);
  expect(await put(products({ productId: 'a', name: 'A' }), { query: '?mode=whole' })).toMatchObject([
    200,
    { removed: 2, changed: 1, version: 2 },
  ]);
});

test('bad products are named, and nothing is stored unless they may be skipped', async () => {
  const before = (await deltaTable(storage, catalogueSpec('shop')).snapshot()).version;
  const body = products({ productId: 'x' }, { productId: 'y', price: 'dear' }, 5);
  const [status, { code, report }] = await put(body);
  expect([status, code]).toEqual([400, 'catalogue_lines_bad']);
  expect(report!.faults.map(({ line, code: fault }) => [line, fault])).toEqual([
    [2, 'field_invalid'],
    [3, 'line_malformed'],
  ]);
  expect((await deltaTable(storage, catalogueSpec('shop')).snapshot()).version).toBe(before);
  expect(await put(body, { query: '?skipBad=true' })).toMatchObject([200, { added: 1, bad: 2 }]);
});

test.each([
  ['no key', {}, 401, 'key_missing'],
  ['an unknown key', { 'x-instrumentation-key': 'ik_nobody' }, 401, 'key_unknown'],
  ['a read token', { authorization: 'Bearer rt_x' }, 401, 'key_missing'],
  ['a browser key', { 'x-instrumentation-key': createKey({ kind: 'browser' }) }, 403, 'kind_not_allowed'],
  ['a revoked key', { 'x-instrumentation-key': createKey({ revokedAt: '2026-01-01T00:00:00Z' }) }, 401, 'key_revoked'],
  ['an expired key', { 'x-instrumentation-key': createKey({ expiresAt: '2026-01-01T00:00:00Z' }) }, 401, 'key_expired'],
  ['two keys', { 'x-instrumentation-key': key, authorization: 'Bearer ik_other' }, 400, 'key_conflict'],
])('%s is refused', async (_, headers, status, code) => {
  expect(await put(products({ productId: 'a' }), { headers })).toMatchObject([status, { code }]);
});

test.each([
  ['no JSON', '{', {}, 400, 'body_not_json'],
  ['another list', '{"items":[]}', {}, 400, 'body_invalid'],
  ['another type', 'a', { type: 'text/csv' }, 415, 'content_type_unsupported'],
  ['too much', products({ productId: 'a', name: 'x'.repeat(MAX_BYTES) }), {}, 413, 'body_too_large'],
  ['a whole of nothing', products(), { query: '?mode=whole' }, 400, 'catalogue_empty'],
  ['an unknown mode', products(), { query: '?mode=all' }, 400, 'parameter_invalid'],
  ['an unknown parameter', products(), { query: '?tenant=rival' }, 400, 'parameter_invalid'],
])('%s is refused', async (_, body, options, status, code) => {
  expect(await put(body, options)).toMatchObject([status, { code }]);
});

import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { changesRoute } from '../../../query/http/routes/changes.ts';
import { reportRoutes } from '../../../query/http/routes/reports.ts';
import { zoneRoutes } from '../../../query/http/routes/zones.ts';
import { startQueryServer, type QueryServer } from '../../../query/http/server.ts';
import { listChanges } from '../../../lake/delta/changeList.ts';
import { deltaTable } from '../../../lake/delta/table.ts';
import type { Report } from '../../../query/insight/reports.ts';
import { QueryMetrics } from '../../../query/http/metrics.ts';
import { openLakeQueries } from '../../../query/engine/open.ts';
import type { Queries, QueryAnswer } from '../../../query/engine/query.ts';
import type { Storage } from '../../../lake/storage/storage.ts';
import { createSlots, type Slots } from '../../../query/engine/slots.ts';
import { createPendingAnswers } from '../../../query/engine/pendingAnswers.ts';
import { QUERY_SERVER_SETTINGS } from '../../../query/config.ts';
import { tableSpec } from '../../../lake/layout/tables.ts';
import { readConfig } from '../../../runtime/config.ts';
import { createLog } from '../../../runtime/log.ts';
import { createMetrics } from '../../../runtime/metrics.ts';
import { newSecret, secretHash, type TokenRecord } from '../../../schemas/keys.ts';
import { reportCommand } from '../../../cli/report.ts';
import { readParquet } from '../../support/parquet.ts';
import { listTenants } from '../../../lake/layout/tenants.ts';
import { changeFiles } from '../../../lake/layout/changeFiles.ts';
import { createQueryUses } from '../../../query/accounts/queryUse.ts';
import type { UsageRow } from '../../../query/accounts/usage.ts';
import { createUsageTables, type UsageTables } from '../../../query/accounts/usageTable.ts';
import { usageRoute } from '../../../query/http/routes/usage.ts';
import { utcDay } from '../../../runtime/units.ts';
import { runSpor } from '../../support/runScript.ts';
import { until } from '../../support/until.ts';
import { commitRows, REGISTRY } from '../../support/lakeFixture.ts';

let dir: string;
let queries: Queries;
let storage: Storage;
let server: QueryServer;
let slots: Slots;
let usage: UsageTables;
const uses = createQueryUses();
const tokens = new Map<string, TokenRecord>();
const shopToken = createToken([]);

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'spor-test-reports-'));
  const config = readConfig(QUERY_SERVER_SETTINGS, {
    LAKE_URL: `file:${join(dir, 'lake')}`,
    WORK_DIR: join(dir, 'work'),
  });
  const lake = await openLakeQueries(config, REGISTRY);
  ({ queries, storage } = lake);
  const search = { type: 'Search', results_count: 3, session_id: 's', anonymous_id: 'a' };
  await commitRows(lake.storage, 'shop', [
    { ...search, event_id: 'e-1', event_time: '2026-11-23T10:00:00Z', phrase: 'shoes' },
  ]);
  await commitRows(
    lake.storage,
    'shop',
    [{ ...search, event_id: 'e-2', event_time: '2026-11-24T10:00:00Z', phrase: 'hats' }],
    { segment: 'app', date: '2026-11-24' },
  );
  slots = createSlots({ concurrent: 2, queued: 1 });
  const unsent = createPendingAnswers({ perToken: 2, perTenant: 2, total: 2 });
  usage = createUsageTables(lake);
  queries = uses.counted(queries);
  server = await startQueryServer({
    host: '127.0.0.1',
    port: 0,
    routes: [
      ...reportRoutes({ queries, slots, unsent }, REGISTRY),
      changesRoute({ ...lake, registry: REGISTRY }, { slots, unsent }),
      usageRoute({ usage, lookups: slots, tenants: () => listTenants(storage) }),
      ...zoneRoutes(lake.tables, { log: createLog('test', 'silent'), changes: changeFiles(lake.storage) }),
    ],
    metrics: new QueryMetrics(createMetrics('lake'), slots),
    log: createLog('test', 'silent'),
    isKnownTenant: () => Promise.resolve(true),
    tokens: () => ({
      get: (hash) => tokens.get(hash),
      entries: () => tokens.entries(),
      size: 2,
      staleSinceMs: undefined,
      current: true,
      untilCurrent: () => Promise.resolve(true),
      stop: () => undefined,
    }),
  });
});

afterAll(async () => {
  await server?.close(1_000);
  await usage?.close();
  await queries?.close();
  await rm(dir, { recursive: true, force: true });
});

function createToken(segmentIds: string[], tenantId = 'shop'): string {
  const token = newSecret('rt');
  tokens.set(secretHash(token), { tenantId, segmentIds, label: '', createdAt: new Date().toISOString() });
  return token;
}

function byText(a: unknown, b: unknown): number {
  return String(a).localeCompare(String(b));
}

async function phrasesIn(file: ArrayBuffer): Promise<unknown[]> {
  return (await readParquet(file)).map(({ phrase }) => phrase).toSorted(byText);
}

function get(path: string, token = shopToken): Promise<Response> {
  return fetch(`http://127.0.0.1:${server.port}${path}`, { headers: { authorization: `Bearer ${token}` } });
}

describe('GET /api/reports', () => {
  test('lists the reports with their columns, parameters and definitions', async () => {
    const { reports } = (await (await get('/api/reports')).json()) as { reports: Report[] };
    expect(reports.find(({ name }) => name === 'popularity')).toMatchObject({
      group: 'personalization',
      parameters: [{ name: 'half_life_days', default: 7 }, { name: 'limit' }],
    });
  });

  test('answers one, within what the token may read', async () => {
    const path = '/api/reports/search_phrases?from=2026-11-23&to=2026-11-25&limit=5';
    const phrasesOf = async (token: string, address = path): Promise<string[]> => {
      const { columns, rows } = (await (await get(address, token)).json()) as QueryAnswer;
      return rows.map((row) => row[columns.findIndex(({ name }) => name === 'phrase')] as string);
    };
    expect(await (await get(path)).json()).toMatchObject({
      report: 'search_phrases',
      from: '2026-11-23',
      truncated: false,
      snapshot: { files: 2 },
    });
    expect((await phrasesOf(shopToken)).toSorted(byText)).toEqual(['hats', 'shoes']);
    expect(await phrasesOf(shopToken, `${path}&segment=web`)).toEqual(['shoes']);
    const appToken = createToken(['app']);
    expect(await phrasesOf(appToken)).toEqual(['hats']);
    const refused = await get(`${path}&segment=web`, appToken);
    expect([refused.status, await refused.json()]).toEqual([
      400,
      { code: 'report_parameter', message: 'segment web is not readable with this token, which reads app' },
    ]);
  });

  test('answers in every format of a query, as of an earlier version where asked', async () => {
    const path = '/api/reports/search_phrases?from=2026-11-23&to=2026-11-25';
    const csv = await get(`${path}&format=csv&version=0`);
    expect((await csv.text()).split('\r\n').map((line) => line.split(',')[0])).toEqual(['phrase', 'shoes', '']);
    const told = ['report', 'from', 'to', 'rows', 'truncated'].map((name) => csv.headers.get(`spor-${name}`));
    expect(told).toEqual(['search_phrases', '2026-11-23', '2026-11-25', '1', 'false']);
    expect(JSON.parse(csv.headers.get('spor-snapshot')!)).toMatchObject({ version: 0, liveness: 'committed' });

    const ndjson = (await (await get(`${path}&format=ndjson&snapshot=committed`)).text()).trimEnd().split('\n');
    expect(ndjson.map((line) => (JSON.parse(line) as Record<string, unknown>).phrase).toSorted(byText)).toEqual([
      'hats',
      'shoes',
    ]);

    const accept = { authorization: `Bearer ${shopToken}`, accept: 'application/vnd.apache.parquet' };
    const parquet = await fetch(`http://127.0.0.1:${server.port}${path}`, { headers: accept });
    expect(await phrasesIn(await parquet.arrayBuffer())).toEqual(['hats', 'shoes']);
  });

  test.each([
    ['/api/reports/none', 404, 'report_unknown'],
    ['/api/reports/revenue?from=yesterday', 400, 'report_parameter'],
    ['/api/reports/revenue?from=2026-02-31', 400, 'report_parameter'],
    ['/api/reports/revenue?from=2026-02-29T00:00:00Z', 400, 'report_parameter'],
    ['/api/reports?group=search', 400, 'parameter_invalid'],
    ['/api/reports/revenue?limit=5', 400, 'report_parameter'],
    ['/api/reports/revenue?segment=a&segment=b', 400, 'report_parameter'],
    ['/api/reports/revenue?format=xml', 400, 'report_parameter'],
    ['/api/reports/revenue?snapshot=old', 400, 'report_parameter'],
    ['/api/reports/revenue?version=99', 404, 'version_unknown'],
  ])('%s is refused with %i %s', async (path, status, code) => {
    const response = await get(path);
    expect([response.status, ((await response.json()) as { code: string }).code]).toEqual([status, code]);
  });
});

test('GET /api/usage: a tenant sees its own usage, a segment its rows, an operator all', async () => {
  const month = utcDay(Date.now()).slice(0, 7);
  uses.take('shop');
  const report = '/api/reports/search_phrases?from=2026-11-23&to=2026-11-25';
  await (await get(report)).text();
  await (await get('/api/reports/revenue?from=2026-11-23')).text();
  await commitRows(storage, 'other', [{ type: 'Search', event_id: 'o', event_time: '2026-11-23T10:00:00Z' }]);
  await usage.update('shop', uses.take('shop'));
  const usageOf = async (token: string, more = ''): Promise<(UsageRow & { tenantId: string })[]> => {
    const answer = (await (await get(`/api/usage?to=${month}${more}`, token)).json()) as { usage: [] };
    return answer.usage;
  };
  const own = await usageOf(shopToken);
  expect(own.map(({ tenantId, segment, queries: asked }) => [tenantId, segment, asked])).toEqual([
    ['shop', '', 2],
    ['shop', 'app', 0],
    ['shop', 'web', 0],
  ]);
  expect(own[0]).toMatchObject({ month, queryRows: 2 });
  expect(own[0]!.querySeconds).toBeGreaterThan(0);
  expect(own[1]!.storageBytes).toBeGreaterThan(0);
  expect((await usageOf(createToken(['app']))).map(({ segment }) => segment)).toEqual(['app']);
  const operator = newSecret('ot');
  tokens.set(secretHash(operator), { role: 'operator', label: '', createdAt: new Date().toISOString() });
  expect(new Set((await usageOf(operator)).map(({ tenantId }) => tenantId))).toEqual(new Set(['other', 'shop']));
  expect(new Set((await usageOf(operator, '&tenant=other')).map(({ tenantId }) => tenantId))).toEqual(
    new Set(['other']),
  );
  expect(await (await get('/api/usage?tenant=other')).json()).toMatchObject({ code: 'tenant_forbidden' });
  expect(await (await get('/api/usage?from=2026-13')).json()).toMatchObject({ code: 'parameter_invalid' });
  expect(await (await get('/api/usage?segment=web')).json()).toMatchObject({ code: 'parameter_invalid' });
  // What could not be written is kept for the next time.
  await (await get(report)).text();
  const taken = uses.take('shop');
  uses.putBack('shop', taken);
  expect(uses.take('shop').get(month)).toMatchObject({ queries: 1 });
});

describe('the zones of shops', () => {
  const operator = newSecret('ot');
  const zonedToken = createToken([], 'zoned');
  tokens.set(secretHash(operator), { role: 'operator', label: '', createdAt: new Date().toISOString() });
  beforeAll(async () => {
    const search = { type: 'Search', results_count: 3, session_id: 's', anonymous_id: 'a', phrase: 'shoes' };
    await commitRows(storage, 'zoned', [{ ...search, event_id: 'e-1', event_time: '2026-11-23T10:00:00Z' }]);
    const other = { ...search, event_id: 'e-2', event_time: '2026-11-24T10:00:00Z' };
    await commitRows(storage, 'zoned', [other], { segment: 'app', date: '2026-11-24' });
  });
  const setZone = async (body: unknown, token = operator): Promise<[number, unknown]> => {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json', 'x-spor-tenant': 'zoned' };
    const address = `http://127.0.0.1:${server.port}/api/zones`;
    const response = await fetch(address, { method: 'PUT', headers, body: JSON.stringify(body) });
    return [response.status, await response.json()];
  };
  const searched = async (query: string, token = zonedToken): Promise<unknown> => {
    const answer = await get(`/api/reports/search_daily?from=2026-11-23&to=2026-11-25${query}`, token);
    const { columns, rows, zone } = (await answer.json()) as QueryAnswer & { zone: string };
    expect(columns.slice(0, 2).map(({ name }) => name)).toEqual(['date', 'searches']);
    return { zone, searches: rows.map((row) => row[1]) };
  };
  const env = (): Record<string, string> => ({ LAKE_URL: `file:${join(dir, 'lake')}` });

  test('are UTC until an operator sets them, and then the days of reports', async () => {
    expect(await (await get('/api/zones', zonedToken)).json()).toEqual({ zone: 'UTC', segments: {} });
    expect(await searched('')).toEqual({ zone: 'UTC', searches: [1, 1] });
    expect(await setZone({ segmentId: 'app', zone: 'Pacific/Auckland' })).toEqual([
      200,
      { zone: 'Pacific/Auckland', segments: { app: 'Pacific/Auckland' } },
    ]);
    expect(await setZone({ segmentId: 'web', zone: 'Pacific/Honolulu' })).toMatchObject([200, { zone: 'UTC' }]);
    // 10:00 UTC is 23:00 in Auckland, and 00:00 in Honolulu.
    expect(await searched('&segment=app')).toEqual({ zone: 'Pacific/Auckland', searches: [0, 1] });
    expect(await searched('&segment=web')).toEqual({ zone: 'Pacific/Honolulu', searches: [1, 0] });
    expect(await searched('', createToken(['app'], 'zoned'))).toEqual({ zone: 'Pacific/Auckland', searches: [0, 1] });
    expect(await searched('&zone=Asia/Tokyo')).toEqual({ zone: 'Asia/Tokyo', searches: [1, 1] });
    expect(await searched('&segment=app&before=true')).toEqual({ zone: 'Pacific/Auckland', searches: [0, 0] });
    expect(await (await get('/api/zones', createToken(['app'], 'zoned'))).json()).toMatchObject({
      segments: { app: 'Pacific/Auckland' },
    });
  });

  test('are refused from a reader, by another name, and in another form', async () => {
    expect(await setZone({ zone: 'UTC' }, zonedToken)).toMatchObject([403, { code: 'operator_required' }]);
    for (const body of [{ zone: '+01:00' }, { zone: 5 }, {}, { zone: 'UTC', segmentId: 'A B' }, { zone: null, x: 1 }])
      expect(await setZone(body)).toMatchObject([400, { code: 'body_invalid' }]);
    const wrong = await get('/api/reports/revenue?zone=Mars/Olympus');
    expect([wrong.status, await wrong.json()]).toMatchObject([400, { code: 'report_parameter' }]);
  });

  test('are set and shown by the command line, and counted by spor report', async () => {
    const spor = (...args: string[]): ReturnType<typeof runSpor> => runSpor(args, { cwd: dir, env: env() });
    const args = ['search_daily', '--tenant', 'zoned', '--from', '2026-11-23', '--to', '2026-11-24', '--json'];
    const counted = async (...more: string[]): Promise<unknown> =>
      (JSON.parse((await spor('report', ...args, ...more)).stdout) as QueryAnswer).rows[0]![1];
    await spor('zones', 'set', '--tenant', 'zoned', '--segment', 'app', '--none');
    await spor('zones', 'set', '--tenant', 'zoned', '--segment', 'web', '--none');
    const set = await spor('zones', 'set', '--tenant', 'zoned', '--zone', 'Pacific/Kiritimati');
    expect([set.code, set.stdout]).toEqual([0, 'days of zoned are days in Pacific/Kiritimati\n']);
    expect(JSON.parse((await spor('zones', 'show', '--tenant', 'zoned', '--json')).stdout)).toEqual([
      { tenantId: 'zoned', zone: 'Pacific/Kiritimati', segments: {} },
    ]);
    // 10:00 UTC is midnight there.
    expect(await counted()).toBe(0);
    expect(await counted('--zone', 'UTC')).toBe(1);
    expect((await spor('zones', 'set', '--tenant', 'zoned', '--zone', 'Europe/Atlantis')).code).toBe(2);
    expect((await spor('report', ...args, '--zone', 'Europe/Atlantis')).code).toBe(2);
    await spor('zones', 'set', '--tenant', 'zoned', '--none');
  });
});

test('spor report writes each format to a file or another program, and no Parquet to a terminal', async () => {
  const args = ['search_phrases', '--tenant', 'shop', '--from', '2026-11-23', '--to', '2026-11-25'];
  const env = { LAKE_URL: `file:${join(dir, 'lake')}` };
  const spor = (...more: string[]): ReturnType<typeof runSpor> =>
    runSpor(['report', ...args, ...more], { cwd: dir, env });
  const written = await spor('--out', 'out/phrases.parquet');
  expect([written.code, written.stdout, written.stderr]).toEqual([0, '', '']);
  const file = await readFile(join(dir, 'out/phrases.parquet'));
  expect(await phrasesIn(new Uint8Array(file).buffer)).toEqual(['hats', 'shoes']);
  const json = await spor('--json', '--version', '0');
  expect(JSON.parse(json.stdout)).toMatchObject({ rowCount: 1, truncated: false, snapshot: { version: 0 } });

  const out: unknown[] = [];
  const context = {
    env,
    cwd: dir,
    now: Date.now,
    input: () => Promise.resolve(''),
    err: () => undefined,
    out: (data: unknown) => out.push(data),
  };
  const shown = reportCommand.run([...args, '--format', 'parquet'], { ...context, terminal: true });
  await expect(shown).rejects.toThrow(/cannot be shown in a terminal.*--out/);
  expect(out).toEqual([]);
});

test.each(['%205', '5%0D', '', '0x10', '1e1', '+5', '-1', '0'])('limit=%s is refused', async (limit) => {
  const response = await get(`/api/reports/search_phrases?limit=${limit}`);
  expect([response.status, await response.json()]).toMatchObject([400, { code: 'report_parameter' }]);
});

describe('GET /api/changes', () => {
  interface Changes {
    version: number;
    more: boolean;
    commits: { version: number; added: { rows: number; partition: { segment: string } }[]; removed: unknown[] }[];
  }
  const changes = async (query: string, token = shopToken): Promise<Changes> =>
    (await (await get(`/api/changes${query}`, token)).json()) as Changes;

  test('lists what came since a version, in what the token may read', async () => {
    const all = await changes('');
    expect(all).toMatchObject({ version: 1, more: false, commits: [{ version: 1, removed: [] }] });
    expect(all.commits[0]!.added).toHaveLength(2);
    expect((await changes('?since=-1')).commits.map(({ version }) => version)).toEqual([0, 1]);
    const since = await changes('?since=0');
    expect(since.commits).toMatchObject([{ version: 1, added: [{ rows: 1, partition: { segment: 'app' } }] }]);
    expect((await changes('?since=1')).commits).toEqual([]);
    expect((await changes('?since=-1', createToken(['app']))).commits.map(({ version }) => version)).toEqual([1]);
    expect(await changes('?table=popularity')).toMatchObject({ version: -1, commits: [] });
  });

  test('all files of a large table are listed in pieces, once its log is read in a slot', async () => {
    const table = deltaTable(storage, tableSpec('events', 'many', REGISTRY));
    const files = Array.from({ length: 700 }, (_, number) => ({
      path: `segment=web/date=2026-11-23/${String(number).padStart(4, '0')}.parquet`,
      size: 1_000 + number,
      rows: number,
      partitionValues: { segment: 'web', date: '2026-11-23' },
      stats: { numRecords: number, minValues: {}, maxValues: {}, nullCount: {} },
    }));
    await table.append({ files, txn: { appId: 'test', version: 1, expected: undefined }, info: {} });
    const token = createToken([], 'many');
    const busy = await Promise.all(['a', 'b'].map((tenantId) => slots.acquire({ tenantId, tokenId: 't' })));
    const asked = changes('', token);
    await until(() => slots.waiting === 1);
    for (const release of busy) release();
    expect(await asked).toEqual(await listChanges(storage, table, { since: undefined, segmentIds: [] }));
    expect((await asked).commits[0]!.added).toHaveLength(700);
    const head = await fetch(`http://127.0.0.1:${server.port}/api/changes`, {
      method: 'HEAD',
      headers: { authorization: `Bearer ${token}` },
    });
    expect(head.status).toBe(200);
    expect([slots.running, slots.waiting]).toEqual([0, 0]);
    // Answers that were sent, or abandoned, are not counted on.
    for (let again = 0; again < 3; again++) expect((await changes('', token)).version).toBe(0);
  });

  test('compactions are no changes, and what the log no longer holds is gone', async () => {
    const table = deltaTable(storage, tableSpec('events', 'shop', REGISTRY));
    const { files } = await table.snapshot();
    const [file] = files.values();
    const stats = { numRecords: 1, minValues: {}, maxValues: {}, nullCount: {} };
    const moved = { path: file!.path.replace('.parquet', 'x.parquet'), size: file!.size, rows: 1, stats };
    const add = [{ ...moved, partitionValues: { segment: 'web', date: '2026-11-23' } }];
    await table.replace({ remove: [file!], add, dataChange: false, unusedSinceMs: Date.now(), info: {} });
    expect(await changes('?since=1')).toMatchObject({ version: 2, commits: [] });
    await table.checkpoint();
    await storage.delete([0, 1].map((version) => `${table.spec.root}/_delta_log/0000000000000000000${version}.json`));
    const gone = await get('/api/changes?since=0');
    expect([gone.status, await gone.json()]).toMatchObject([410, { code: 'changes_gone' }]);
    expect((await get('/api/changes?since=1')).status).toBe(200);
  });

  test.each([
    ['?since=9', 404, 'changes_unknown'],
    ['?table=none', 404, 'changes_unknown'],
    ['?since=yesterday', 400, 'changes_parameter'],
    ['?from=1', 400, 'changes_parameter'],
    ['?since=1&since=2', 400, 'changes_parameter'],
    ['?since=', 400, 'changes_parameter'],
    ['??since=1', 400, 'changes_parameter'],
  ])('%s is refused with %i %s', async (query, status, code) => {
    const response = await get(`/api/changes${query}`);
    expect([response.status, ((await response.json()) as { code: string }).code]).toEqual([status, code]);
  });
});

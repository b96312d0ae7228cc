import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Table } from 'parquet-wasm';
import { freePort } from '../../../scripts/freePort.ts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createLog } from '../../../runtime/log.ts';
import { connectNats, type NatsConnection } from '../../../stream/nats.ts';
import { openSecretStore, type SecretStore } from '../../../stream/secretStore.ts';
import { keyId, newSecret, secretHash, type ReadTokenRecord, type TokenRecord } from '../../../schemas/keys.ts';
import { SHARES_BUCKET, TOKENS_BUCKET } from '../../../stream/buckets.ts';
import { openLocalStorage } from '../../../lake/storage/local.ts';
import type { Storage } from '../../../lake/storage/storage.ts';
import { asRole } from '../../support/locks.ts';
import { startNats, type TestNats } from '../../support/nats.ts';
import { readParquet } from '../../support/parquet.ts';
import { runSpor } from '../../support/runScript.ts';
import { until } from '../../support/until.ts';
import { commitRows } from '../../support/lakeFixture.ts';

const MAIN = fileURLToPath(new URL('../../../query/main.ts', import.meta.url));

interface LakeProcess {
  url: string;
  child: ChildProcess;
  log: () => string;
  stop(): Promise<number | null>;
}

let dir: string;
let nats: TestNats;
let connection: NatsConnection;
let tokens: SecretStore<TokenRecord>;
let storage: Storage;
let lake: LakeProcess;
let shopToken: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'spor-test-lake-'));
  nats = await startNats();
  connection = await connectNats({ url: nats.url, name: 'test', log: createLog('test', 'silent') });
  tokens = await openSecretStore<TokenRecord>(connection, TOKENS_BUCKET, 1);
  storage = await openLocalStorage(join(dir, 'lake'));
  await commitRows(storage, 'shop', [
    { type: 'Search', event_id: 'e-1', event_time: '2026-11-23T10:00:00Z', phrase: 'shoes' },
  ]);
  await commitRows(
    storage,
    'shop',
    [{ type: 'Search', event_id: 'e-2', event_time: '2026-11-24T10:00:00Z', phrase: 'hats' }],
    { segment: 'app', date: '2026-11-24' },
  );
  await commitRows(storage, 'other', [{ type: 'Search', event_id: 'secret', event_time: '2026-11-23T10:00:00Z' }]);
  shopToken = await createToken({ tenantId: 'shop' });
  lake = await startLakeProcess({
    LAKE_CONCURRENT_QUERIES: '2',
    LAKE_QUEUED_QUERIES: '1',
    LAKE_QUERY_TIMEOUT_MS: '6000',
  });
});

afterAll(async () => {
  await lake?.stop();
  await connection?.close();
  await nats?.stop();
  await rm(dir, { recursive: true, force: true });
});

async function createToken(record: Partial<ReadTokenRecord>): Promise<string> {
  const token = newSecret('rt');
  await tokens.create(secretHash(token), {
    tenantId: 'shop',
    segmentIds: [],
    label: '',
    createdAt: new Date().toISOString(),
    ...record,
  });
  return token;
}

async function startLakeProcess(env: Record<string, string>): Promise<LakeProcess> {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', MAIN], {
    env: {
      PATH: process.env.PATH,
      NATS_URL: asRole(nats.url, 'query'),
      LAKE_URL: `file:${join(dir, 'lake')}`,
      LAKE_PORT: '0',
      WORK_DIR: join(dir, 'work'),
      ...env,
    },
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  let log = '';
  child.stderr!.on('data', (chunk: Buffer) => (log += chunk.toString()));
  const [message] = (await Promise.race([
    once(child, 'message'),
    once(child, 'close').then(([code]) => {
      throw new Error(`lake ended with ${String(code)}: ${log}`);
    }),
  ])) as [{ ready: { url: string } }];
  return {
    url: message.ready.url,
    child,
    log: () => log,
    stop: async () => {
      if (child.exitCode === null && child.signalCode === null) {
        const exited = once(child, 'close');
        child.kill('SIGTERM');
        await exited;
      }
      return child.exitCode;
    },
  };
}

interface Answer {
  status: number;
  body: Record<string, unknown> & { code?: string; message?: string; rows?: unknown[][] };
  headers: Headers;
}

async function post(
  body: unknown,
  options: { token?: string | undefined; headers?: Record<string, string>; url?: string; signal?: AbortSignal } = {},
): Promise<Answer> {
  const token = 'token' in options ? options.token : shopToken;
  const response = await fetch(`${options.url ?? lake.url}/api/query`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...options.headers,
    },
    body: typeof body === 'string' ? body : JSON.stringify(body),
    ...(options.signal ? { signal: options.signal } : {}),
  });
  return { status: response.status, body: (await response.json()) as Answer['body'], headers: response.headers };
}

async function metric(name: string, labels = ''): Promise<number> {
  const text = await (await fetch(`${lake.url}/metrics`)).text();
  return Number(new RegExp(`^${name}\\{${labels}[^}]*\\} (\\S+)$`, 'm').exec(text)?.[1] ?? NaN);
}

test('a quota is set by operators, and read by the tenant with its use', async () => {
  const operator = newSecret('ot');
  const record = { role: 'operator' as const, label: '', createdAt: new Date().toISOString() };
  await tokens.create(secretHash(operator), record);
  const quota = async (token: string, init: RequestInit = {}): Promise<Record<string, unknown>> => {
    const headers = { authorization: `Bearer ${token}`, 'x-spor-tenant': 'shop', 'content-type': 'application/json' };
    return (await (await fetch(`${lake.url}/api/quota`, { headers, ...init })).json()) as Record<string, unknown>;
  };
  const put = (limits: unknown): RequestInit => ({ method: 'PUT', body: JSON.stringify(limits) });
  await until(async () => (await quota(operator)).tenantId === 'shop');
  expect(await quota(shopToken)).toEqual({ tenantId: 'shop', use: [], near: false });
  expect(await quota(shopToken, put({ eventsPerMonth: 9 }))).toMatchObject({ code: 'operator_required' });
  expect(await quota(operator, put({ eventsPerMonth: 0 }))).toMatchObject({ code: 'body_invalid' });
  expect(await quota(operator, put({ eventsPerYear: 5 }))).toMatchObject({ code: 'body_invalid' });
  const set = await quota(operator, put({ eventsPerMonth: 100, eventsPerDay: null }));
  expect(set).toMatchObject({ eventsPerMonth: 100, use: [{ per: 'month', limit: 100, used: 0 }] });
  // As two receivers count.
  const [month, day] = [set.changedAt as string].flatMap((at) => [at.slice(0, 7), at.slice(0, 10)]);
  const counts = { shop: { month, inMonth: 41, day, inDay: 1, perSecond: 0 } };
  const shares = await openSecretStore(connection, SHARES_BUCKET, 1);
  for (const receiver of ['a', 'b']) await shares.create(receiver, counts);
  await until(async () => (await quota(shopToken)).near === true);
  expect(await quota(shopToken)).toMatchObject({ use: [{ used: 82 }] });
  const env = { NATS_URL: asRole(nats.url, 'keys'), LAKE_URL: `file:${join(dir, 'lake')}` };
  const spor = async (...args: string[]): Promise<string> => (await runSpor(['quota', ...args], { env })).stdout;
  expect(await spor('show')).toMatch(/shop +100 a month at most +82 % of the month +80 % or more/);
  expect(await spor('set', '--tenant', 'shop', '--per-second', '50')).toBe('shop: 50 a second at most\n');
  await until(async () => (await quota(shopToken)).eventsPerSecond === 50);
  expect(JSON.parse(await spor('clear', '--tenant', 'shop', '--json'))).toEqual({ tenantId: 'shop' });
  expect((await runSpor(['quota', 'set', '--tenant', 'shop'], { env })).code).toBe(2);

  // Every change is on record before it was answered, without secrets, and for the tenant only its own.
  const audit = async (token: string, query = ''): Promise<Record<string, unknown>[]> => {
    const headers = { authorization: `Bearer ${token}` };
    const answer = (await (await fetch(`${lake.url}/api/audit${query}`, { headers })).json()) as { changes: [] };
    return answer.changes;
  };
  const made = await audit(operator, '?action=quota&tenant=shop');
  expect(made.map(({ by, before, after, outcome }) => [by, before, after, outcome]).slice(-1)).toEqual([
    [`token ${keyId(secretHash(operator))}`, null, { eventsPerMonth: 100 }, 'done'],
  ]);
  expect(made[1]).toMatchObject({ before: { eventsPerMonth: 100 }, after: { eventsPerSecond: 50 } });
  const body = JSON.stringify({ segmentId: 'app' });
  const post = { method: 'POST', headers: { 'x-spor-tenant': 'other', 'content-type': 'application/json' }, body };
  const key = await fetch(`${lake.url}/api/keys`, {
    ...post,
    headers: { ...post.headers, authorization: `Bearer ${operator}` },
  });
  const { key: secret, id } = (await key.json()) as { key: string; id: string };
  const all = await audit(operator, '?limit=1');
  expect(all).toMatchObject([{ action: 'key.create', tenantId: 'other', segmentId: 'app', about: `key ${id}` }]);
  expect(JSON.stringify(all)).not.toContain(secret);
  expect(new Set((await audit(shopToken)).map(({ tenantId }) => tenantId))).toEqual(new Set(['shop']));
  expect(await audit(await createToken({ segmentIds: ['app'] }))).toEqual([]);
  expect(await (await fetch(`${lake.url}/api/audit`)).json()).toMatchObject({ code: 'token_missing' });
});

describe('POST /api/query', () => {
  test('answers columns, rows and the snapshot they come from', async () => {
    const { status, body, headers } = await post({
      sql: 'select event_id, phrase, event_time from searches order by 1',
      format: 'json',
    });
    expect(status).toBe(200);
    expect(headers.get('content-type')).toContain('application/json');
    expect(body).toMatchObject({
      columns: [
        { name: 'event_id', type: 'VARCHAR' },
        { name: 'phrase', type: 'VARCHAR' },
        { name: 'event_time', type: 'TIMESTAMP WITH TIME ZONE' },
      ],
      rows: [
        ['e-1', 'shoes', '2026-11-23T10:00:00.000Z'],
        ['e-2', 'hats', '2026-11-24T10:00:00.000Z'],
      ],
      rowCount: 2,
      truncated: false,
      snapshot: { version: 1, files: 2, liveness: 'live' },
    });
    expect(
      (await post({ sql: 'select count(*) from events', from: '2026-11-24', to: '2026-11-24' })).body.rows,
    ).toEqual([[1]]);
  });

  test('answers in other formats, by name or as accepted', async () => {
    const ask = (body: object, accept = '*/*'): Promise<Response> =>
      fetch(`${lake.url}/api/query`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${shopToken}`, accept },
        body: JSON.stringify({
          sql: `select event_id, phrase, 1.50::decimal(18,4) as price, [1, 2] as list, event_time from searches order by 1`,
          ...body,
        }),
      });
    const csv = await ask({}, 'text/html;q=0.5, text/csv');
    expect(await csv.text()).toBe(
      'event_id,phrase,price,list,event_time\r\n' +
        'e-1,shoes,1.5000,"[1,2]",2026-11-23T10:00:00.000Z\r\n' +
        'e-2,hats,1.5000,"[1,2]",2026-11-24T10:00:00.000Z\r\n',
    );
    expect(csv.headers.get('content-type')).toContain('text/csv');
    expect([csv.headers.get('spor-rows'), csv.headers.get('spor-truncated')]).toEqual(['2', 'false']);
    expect(JSON.parse(csv.headers.get('spor-snapshot')!)).toMatchObject({ version: 1, liveness: 'live' });

    const cut = await ask({ format: 'ndjson', maxRows: 1 });
    expect(
      (await cut.text())
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as unknown),
    ).toEqual([
      { event_id: 'e-1', phrase: 'shoes', price: '1.5000', list: [1, 2], event_time: '2026-11-23T10:00:00.000Z' },
    ]);
    expect([cut.headers.get('spor-rows'), cut.headers.get('spor-truncated')]).toEqual(['1', 'true']);

    for (const [maxRows, rows] of [
      [1, 1],
      [2, 2],
    ]) {
      const parquet = await ask({ format: 'parquet', maxRows });
      expect(parquet.headers.get('spor-truncated')).toBe(String(maxRows === 1));
      const read = await readParquet(await parquet.arrayBuffer());
      expect(read).toHaveLength(rows!);
      expect(read[0]!.price).toBeCloseTo(1.5);
      expect(read[0]).toMatchObject({
        event_id: 'e-1',
        list: [1, 2],
        event_time: new Date('2026-11-23T10:00:00Z'),
      });
    }
    const arrow = await ask({ maxRows: 1 }, 'application/vnd.apache.arrow.stream');
    expect(arrow.headers.get('content-type')).toBe('application/vnd.apache.arrow.stream');
    expect([arrow.headers.get('spor-rows'), arrow.headers.get('spor-truncated')]).toEqual(['1', 'true']);
    const table = Table.fromIPCStream(new Uint8Array(await arrow.arrayBuffer()));
    expect(table.recordBatches().map(({ numRows, numColumns }) => [numRows, numColumns])).toEqual([[1, 5]]);

    const marked = { sql: "select '\ufeffshoes' as phrase, ['\ufeff'] as list" };
    expect(await (await ask({ ...marked, format: 'ndjson' })).json()).toEqual({
      phrase: '\ufeffshoes',
      list: ['\ufeff'],
    });
    expect(await (await ask({ ...marked, format: 'csv' })).text()).toBe(
      'phrase,list\r\n\ufeffshoes,"[""\ufeff""]"\r\n',
    );
    const none = await ask({}, 'image/png');
    expect([none.status, ((await none.json()) as { code: string }).code]).toEqual([406, 'format_not_acceptable']);
  });

  test('a token reads its tenant and segments only', async () => {
    const app = await createToken({ tenantId: 'shop', segmentIds: ['app'] });
    const other = await createToken({ tenantId: 'other' });
    await until(async () => (await post({ sql: 'select 1' }, { token: other })).status === 200);
    expect((await post({ sql: 'select event_id from events' }, { token: app })).body.rows).toEqual([['e-2']]);
    expect((await post({ sql: 'select event_id from events' }, { token: other })).body.rows).toEqual([['secret']]);
    expect((await post({ sql: "select count(*) from events where event_id = 'secret'" })).body.rows).toEqual([[0]]);
  });

  test('a token works soon after its creation, and ends with being revoked, without a restart', async () => {
    const token = await createToken({});
    await until(async () => (await post({ sql: 'select 1' }, { token })).status === 200);
    await tokens.update(secretHash(token), (record) => ({ ...record, revokedAt: new Date().toISOString() }));
    await until(async () => (await post({ sql: 'select 1' }, { token })).body.code === 'token_revoked');
    const expired = await createToken({ expiresAt: '2020-01-01T00:00:00Z' });
    await until(async () => (await post({ sql: 'select 1' }, { token: expired })).body.code !== 'token_unknown');
    expect((await post({ sql: 'select 1' }, { token: expired })).body.code).toBe('token_expired');
  });

  const noToken = { token: undefined };
  test.each<[string, unknown, Parameters<typeof post>[1], number, string]>([
    ['no token', { sql: 'select 1' }, noToken, 401, 'token_missing'],
    [
      'another scheme',
      { sql: 'select 1' },
      { ...noToken, headers: { authorization: 'Basic abc' } },
      401,
      'token_missing',
    ],
    ['an unknown token', { sql: 'select 1' }, { token: 'rt_nope' }, 401, 'token_unknown'],
    ['a body that is not JSON', '{"sql":', {}, 400, 'body_not_json'],
    ['a list', '[]', {}, 400, 'body_invalid'],
    ['no sql', {}, {}, 400, 'body_invalid'],
    ['sql that is no text', { sql: 1 }, {}, 400, 'body_invalid'],
    ['an unknown field', { sql: 'select 1', limit: 1 }, {}, 400, 'body_invalid'],
    ['an unknown format', { sql: 'select 1', format: 'xml' }, {}, 400, 'body_invalid'],
    ['an unknown snapshot', { sql: 'select 1', snapshot: 'old' }, {}, 400, 'body_invalid'],
    ['a version that is none', { sql: 'select 1', version: -1 }, {}, 400, 'body_invalid'],
    ['a version that is not there yet', { sql: 'from events', version: 99 }, {}, 404, 'version_unknown'],
    ['a date that is none', { sql: 'select 1', from: '2026-13-01' }, {}, 400, 'body_invalid'],
    [
      'another content type',
      'sql=1',
      { headers: { 'content-type': 'application/x-www-form-urlencoded' } },
      415,
      'content_type_unsupported',
    ],
    ['too large a body', { sql: `select '${'x'.repeat(300_000)}'` }, {}, 413, 'body_too_large'],
    ['wrong SQL', { sql: 'select nope from events' }, {}, 400, 'sql_invalid'],
    ['two statements', { sql: 'select 1; select 2' }, {}, 400, 'sql_not_one_statement'],
    ['a statement that writes', { sql: 'drop view events' }, {}, 400, 'sql_not_a_query'],
    ['a file', { sql: "from read_text('/etc/passwd')" }, {}, 403, 'sql_forbidden'],
    ['a query that takes too long', { sql: 'select count(*) from range(10000000000000)' }, {}, 408, 'query_timeout'],
  ])('%s is refused', async (_what, body, options, status, code) => {
    const answer = await post(body, options);
    expect({ status: answer.status, code: answer.body.code }).toEqual({ status, code });
    expect(answer.body.message).toMatch(/^[A-Z"].{10,}/s);
    expect(answer.headers.get('www-authenticate')).toBe(status === 401 ? 'Bearer' : null);
  });

  test('other methods and addresses', async () => {
    const get = await fetch(`${lake.url}/api/query`);
    expect([get.status, get.headers.get('allow')]).toEqual([405, 'POST']);
    expect((await fetch(`${lake.url}/nothing`)).status).toBe(404);
    const options = await fetch(`${lake.url}/api/query`, { method: 'OPTIONS' });
    expect([options.status, options.headers.get('allow')]).toEqual([204, 'POST']);
    expect(await metric('spor_lake_requests_total', 'route="/api/query",code="method_not_allowed"')).toBe(1);
    expect((await fetch(`${lake.url}/readyz`, { method: 'POST' })).headers.get('allow')).toBe('GET, HEAD');
    expect(await (await fetch(`${lake.url}/healthz`)).json()).toEqual({ status: 'ok' });
    expect((await fetch(`${lake.url}/healthz`, { method: 'HEAD' })).status).toBe(200);
    await until(async () => (await fetch(`${lake.url}/readyz`)).status === 200);
  });

  test('more queries than may run wait, and more than may wait are turned away at once', async () => {
    const slow = { sql: 'select count(*) from range(10000000000000)' };
    const other = await createToken({ tenantId: 'other' });
    await until(async () => (await post({ sql: 'select 1' }, { token: other })).status === 200);
    let ended = false;
    const gone = new AbortController();
    const first = post(slow, { signal: gone.signal })
      .catch(() => 'gone')
      .finally(() => (ended = true));
    await until(async () => (await metric('spor_lake_queries_running')) === 1);
    const waiting = post({ sql: 'select 1' }); // of the same tenant, to whom the other slot is closed
    await until(async () => (await metric('spor_lake_queries_waiting')) === 1);
    const away = await post({ sql: 'select 1' });
    expect([away.status, away.body.code, away.headers.get('retry-after')]).toEqual([429, 'too_many_queries', '2']);
    expect((await post({ sql: 'select 42' }, { token: other })).body.rows).toEqual([[42]]);
    expect(ended, 'neither has waited for the first').toBe(false);
    gone.abort();
    expect(await first).toBe('gone');
    expect((await waiting).status).toBe(200);
  });

  test('a caller who hangs up stops the query and frees its slot', async () => {
    const gone = new AbortController();
    const query = post({ sql: 'select count(*) from range(10000000000000)' }, { signal: gone.signal }).catch(
      () => 'gone',
    );
    await until(async () => (await metric('spor_lake_queries_running')) === 1);
    gone.abort();
    expect(await query).toBe('gone');
    await until(async () => (await metric('spor_lake_queries_running')) === 0);
  });

  test('a refused upload does not confuse the next request on the connection', async () => {
    const { hostname, port } = new URL(lake.url);
    const socket = connect(Number(port), hostname);
    await once(socket, 'connect');
    const body = `{"sql":"${'x'.repeat(100_000)}`;
    socket.write(
      `POST /api/query HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 500000\r\n\r\n${body}`,
    );
    let answer = '';
    socket.on('data', (chunk) => (answer += chunk.toString()));
    await once(socket, 'close');
    expect(answer).toMatch(/^HTTP\/1\.1 401[\s\S]*connection: close/i);
  });
});

describe('the process', () => {
  test('stops at SIGTERM whatever runs; callers are told to ask again', async () => {
    const own = await startLakeProcess({ LAKE_QUERY_TIMEOUT_MS: '3600000' });
    const ask = (): Promise<Answer> => post({ sql: 'select count(*) from range(10000000000000)' }, { url: own.url });
    // Two run, and one waits for its turn.
    const asked = [ask(), ask(), ask()];
    const metrics = async (): Promise<string> => (await fetch(`${own.url}/metrics`)).text();
    await until(async () => (await metrics()).includes('spor_lake_queries_waiting{component="lake"} 1'));
    const code = own.stop();
    for (const { status, body, headers } of await Promise.all(asked))
      expect([status, body.code, headers.get('retry-after')]).toEqual([503, 'stopping', '1']);
    expect(await code).toBe(0);
    expect(own.log()).toContain('"msg":"stopped"');
  });

  test('goes on with the tokens it knows while the stream server is away, for as long as is set', async () => {
    const own = await startLakeProcess({ LAKE_TOKENS_STALE_SECONDS: '1' });
    await nats.kill('SIGSTOP');
    try {
      expect((await post({ sql: 'select count(*) from events' })).body.rows).toEqual([[2]]);
      await until(async () => (await post({ sql: 'select 1' }, { url: own.url })).body.code === 'tokens_unavailable');
      expect((await post({ sql: 'select 1' })).status).toBe(200);
    } finally {
      await nats.kill('SIGCONT');
    }
    await until(async () => (await post({ sql: 'select 1' }, { url: own.url })).status === 200);
    await own.stop();
  });

  test('without the stream server it lives, is not ready, and answers 503', async () => {
    const port = String(await freePort());
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', MAIN], {
      env: {
        PATH: process.env.PATH,
        NATS_URL: 'nats://127.0.0.1:1',
        LAKE_URL: `file:${join(dir, 'lake')}`,
        LAKE_PORT: port,
        WORK_DIR: join(dir, 'work'),
      },
      stdio: 'ignore',
    });
    const url = `http://127.0.0.1:${port}`;
    try {
      await until(async () => (await fetch(`${url}/healthz`)).status === 200);
      await until(async () => (await fetch(`${url}/readyz`)).status === 503);
      const answer = await post({ sql: 'select 1' }, { url });
      expect([answer.status, answer.body.code, answer.headers.get('retry-after')]).toEqual([
        503,
        'tokens_unavailable',
        '1',
      ]);
    } finally {
      const exited = once(child, 'close');
      child.kill('SIGTERM');
      expect((await exited)[0]).toBe(0);
    }
  });

  test('refuses settings that cannot work, all at once', async () => {
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', MAIN], {
      env: { PATH: process.env.PATH, LAKE_PORT: 'x', LAKE_QUERY_MEMORY_MB: '1' },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let stderr = '';
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    const [code] = (await once(child, 'close')) as [number];
    expect(code).toBe(78);
    expect(stderr).toContain('LAKE_PORT=x');
    expect(stderr).toContain('LAKE_QUERY_MEMORY_MB=1');
  });
});

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTableCache } from '../../../lake/layout/tableCache.ts';
import { lakeFolderFiles } from '../../../lake/files/localFiles.ts';
import { openQueries, type Queries, type QueryAnswer } from '../../../query/engine/query.ts';
import type { SandboxLimits } from '../../../query/sandbox/sandbox.ts';
import { openLocalStorage } from '../../../lake/storage/local.ts';
import type { Storage } from '../../../lake/storage/storage.ts';
import { tableSpec } from '../../../lake/layout/tables.ts';
import { commitRows, REGISTRY } from '../../support/lakeFixture.ts';

const LIMITS: SandboxLimits = { memoryMb: 256, threads: 1, timeoutMs: 20_000, maxRows: 1_000, maxBytes: 1_000_000 };

const dir = await mkdtemp(join(tmpdir(), 'spor-test-query-'));
let storage: Storage;
let queries: Queries;

const search = {
  type: 'Search',
  event_id: 'e-1',
  event_time: '2026-11-23T10:00:00.123456Z',
  timestamp: '2026-11-23T10:00:00.1Z',
  phrase: 'running shoes',
  results_count: 128,
  result_ids: ['SKU-1', 'SKU-7'],
  filters: [{ field: 'brand', values: ['x', 'y'] }],
  search_id: 's-1',
  session_id: 'v-1',
  properties: '{"a":1}',
};
const order = {
  type: 'OrderCreated',
  event_id: 'e-2',
  event_time: '2026-11-23T10:05:00Z',
  order_id: 'o-1',
  currency: 'DKK',
  session_id: 'v-1',
  total: '99999999999999.9999',
  tax: '0.0001',
  lines: [
    { product_id: 'SKU-1', quantity: '2', unit_price: '49.9500', discount: null, search_id: 's-1' },
    { product_id: 'SKU-2', quantity: '0.5', unit_price: '10' },
  ],
  coupon_codes: ['A', 'B'],
};

async function open(limits: Partial<SandboxLimits> = {}): Promise<Queries> {
  return openQueries({
    storage,
    tables: createTableCache(storage, REGISTRY),
    registry: REGISTRY,
    localFiles: lakeFolderFiles(storage),
    limits: { ...LIMITS, ...limits },
  });
}

beforeAll(async () => {
  storage = await openLocalStorage(join(dir, "lake 'quoted' env=test"));
  queries = await open();
  await commitRows(storage, 'shop', [search, order]);
  await commitRows(
    storage,
    'shop',
    [
      {
        type: 'ProductClicked',
        event_id: 'e-3',
        event_time: '2026-11-24T00:00:00Z',
        product_id: 'SKU-7',
        position: 2,
        price: '12.5',
      },
    ],
    { segment: 'app', date: '2026-11-24' },
  );
  await commitRows(
    storage,
    'shop',
    [{ code: 'field_missing', message: 'm', raw: '{"type":"Search"}', received_at: '2026-11-23T10:00:00Z' }],
    { table: 'quarantine' },
  );
  await commitRows(storage, 'other', [{ ...search, event_id: 'secret', phrase: 'their secret' }]);
});

afterAll(async () => {
  await queries.close();
  await rm(dir, { recursive: true, force: true });
});

async function ask(sql: string, more: object = {}): Promise<QueryAnswer> {
  return queries.run({ tenantId: 'shop', segmentIds: [], sql, ...more });
}

async function code(sql: string, on: Queries = queries): Promise<string> {
  return on.run({ tenantId: 'shop', segmentIds: [], sql }).then(
    (answer) => `answered ${JSON.stringify(answer.rows)}`,
    (error: unknown) => (error as { code: string }).code,
  );
}

describe('answers', () => {
  test('every field of an event comes back as it was written, exactly', async () => {
    const { columns, rows, rowCount, truncated, snapshot, elapsedMs } = await ask(
      'select * from events order by event_time limit 2',
    );
    const first = Object.fromEntries(columns.map(({ name }, index) => [name, rows[0]![index]]));
    expect(first).toMatchObject({
      ...search,
      timestamp: '2026-11-23T10:00:00.100Z',
      tenant_id: 'shop',
      segment_id: 'web',
      segment: 'web',
      date: '2026-11-23',
      total: null,
    });
    const second = Object.fromEntries(columns.map(({ name }, index) => [name, rows[1]![index]]));
    expect(second).toMatchObject({
      session_id: 'v-1',
      total: '99999999999999.9999',
      tax: '0.0001',
      coupon_codes: ['A', 'B'],
      event_time: '2026-11-23T10:05:00.000Z',
    });
    const absent = {
      recommendation_id: null,
      list_id: null,
      inferred: null,
      name: null,
      kind: null,
      amount: null,
      properties: null,
    };
    expect(second.lines).toEqual([
      {
        ...absent,
        product_id: 'SKU-1',
        variant_id: null,
        quantity: '2.0000',
        unit_price: '49.9500',
        discount: null,
        search_id: 's-1',
      },
      {
        ...absent,
        product_id: 'SKU-2',
        variant_id: null,
        quantity: '0.5000',
        unit_price: '10.0000',
        discount: null,
        search_id: null,
      },
    ]);
    expect({ rowCount, truncated, snapshot }).toEqual({
      rowCount: 2,
      truncated: false,
      snapshot: { version: 1, files: 2, liveness: 'committed', at: expect.any(String) },
    });
    expect(elapsedMs).toBeGreaterThan(0);
    expect(columns.find(({ name }) => name === 'total')).toEqual({ name: 'total', type: 'DECIMAL(18,4)' });
    expect(columns.find(({ name }) => name === 'date')).toEqual({ name: 'date', type: 'DATE' });
  });

  test('a view per event type, and a row per order line', async () => {
    expect((await ask('select phrase, results_count, segment from searches')).rows).toEqual([
      ['running shoes', 128, 'web'],
    ]);
    expect((await ask('select product_id, position, price, date from product_clicks')).rows).toEqual([
      ['SKU-7', 2, '12.5000', '2026-11-24'],
    ]);
    expect((await ask('select count(*) from cart_adds')).rows).toEqual([[0]]);
    expect((await ask('select order_id, total - tax from orders')).rows).toEqual([['o-1', '99999999999999.9998']]);
    const lines = await ask(
      'select order_id, line_number, product_id, quantity * unit_price as amount, search_id from order_lines order by 2',
    );
    expect(lines.rows).toEqual([
      ['o-1', 1, 'SKU-1', '99.90000000', 's-1'],
      ['o-1', 2, 'SKU-2', '5.00000000', null],
    ]);
    expect((await ask('select sent_count, items, goods_total, amounts_differ from orders')).rows).toEqual([
      [1, '2.5000', '104.9000', false],
    ]);
    expect((await ask('select session_key, events, searches, orders from sessions order by 1')).rows).toContainEqual([
      'v-1',
      2,
      1,
      1,
    ]);
    expect((await ask("select normal_phrase('  Running   SHOES ')")).rows).toEqual([['running shoes']]);
    // No-break, thin and ideographic blanks, a soft hyphen, dashes, apostrophes and quotes.
    const odd = "'\u00a0T\u2010shirt\u2009men\u2019s\u3000\u2013 \u201cXL\u201d \u00b4a\u02bc \u2212\u00ad'";
    expect((await ask(`select normal_phrase(${odd})`)).rows).toEqual([[`t-shirt men's - "xl" 'a' -`]]);
    expect((await ask('select code, raw from quarantine')).rows).toEqual([['field_missing', '{"type":"Search"}']]);
    expect((await ask('select count(*) from events e join quarantine q using (segment)')).rows).toEqual([[2]]);
  });

  test('segments and dates narrow what is read', async () => {
    expect((await ask('select event_id from events', { segmentIds: ['app'] })).rows).toEqual([['e-3']]);
    expect((await ask('select count(*) from events', { segmentIds: ['none'] })).rows).toEqual([[0]]);
    expect((await ask('select count(*) from quarantine', { segmentIds: ['app'] })).rows).toEqual([[0]]);
    expect((await ask('select event_id from events', { from: '2026-11-24' })).snapshot).toMatchObject({
      version: 1,
      files: 1,
    });
    expect((await ask('select event_id from events order by 1', { to: '2026-11-23' })).rows).toEqual([
      ['e-1'],
      ['e-2'],
    ]);
  });

  test('a tenant without a table has every view and column, and no rows', async () => {
    const none = await queries.run({ tenantId: 'nobody', segmentIds: [], sql: 'select * from order_lines' });
    expect(none).toMatchObject({ rows: [], rowCount: 0, snapshot: { version: -1, files: 0 } });
    expect(none.columns.map(({ name }) => name)).toContain('unit_price');
    await expect(queries.run({ tenantId: '../shop', segmentIds: [], sql: 'select 1' })).rejects.toMatchObject({
      code: 'storage_path_invalid',
    });
  });

  test('a commit is seen by the next query; tenants see only themselves', async () => {
    expect((await queries.run({ tenantId: 'fresh', segmentIds: [], sql: 'select count(*) from events' })).rows).toEqual(
      [[0]],
    );
    await commitRows(storage, 'fresh', [{ ...search, event_id: 'x' }]);
    expect(
      (await queries.run({ tenantId: 'fresh', segmentIds: [], sql: 'select event_id, tenant_id from events' })).rows,
    ).toEqual([['x', 'fresh']]);
    expect((await ask("select count(*) from events where tenant_id <> 'shop' or event_id = 'secret'")).rows).toEqual([
      [0],
    ]);
  });

  test('files written before a column existed, and by writers of other columns, read with nulls', async () => {
    const spec = tableSpec('events', 'grown', REGISTRY);
    const lines = { list: { struct: [{ name: 'product_id', type: 'string' as const }] } };
    const older = {
      ...spec,
      columns: [
        ...spec.columns.filter(({ name }) => name !== 'phrase' && name !== 'lines'),
        { name: 'lines', type: lines },
      ],
    };
    await commitRows(storage, 'grown', [{ ...search, event_id: 'old', lines: [{ product_id: 'p' }] }], { spec: older });
    await commitRows(storage, 'grown', [
      { ...search, event_id: 'new' },
      { ...order, event_id: 'o' },
    ]);
    const { rows } = await queries.run({
      tenantId: 'grown',
      segmentIds: [],
      sql: 'select event_id, phrase, len(lines), lines[1].product_id, lines[1].quantity from events order by 1',
    });
    expect(rows).toEqual([
      ['new', 'running shoes', null, null, null],
      ['o', null, 2, 'SKU-1', '2.0000'],
      ['old', null, 1, 'p', null],
    ]);
  });

  test('values of every kind', async () => {
    const { rows, columns } =
      await ask(`select true a, 9007199254740991::bigint b, 9007199254740992::bigint c, -170141183460469231731687303715884105727::hugeint d,
      1.5::double e, 'nan'::double f, '-infinity'::float g, 12.30::decimal(10,2) h, date '0001-01-01' i, timestamp '1969-12-31 23:59:59.999999' j,
      timestamptz '2026-11-23 12:00:00+02' k, 'infinity'::timestamptz l, time '10:00:00.5' m, interval 1 day n, 'ab'::blob o,
      map {'x': 1, 'y': 2} p, [1, null] q, {'n': {'m': 1.10::decimal(3,2)}} r, uuid '0192d3a4-0000-7000-8000-000000000000' s, null t, '{"j":1}'::json u,
      timestamp_ns '2026-01-01 00:00:00.123456789' v, date 'infinity' w, '\u{1F600}ø' x, 5::utinyint y, '101'::bit z, 1 a`);
    expect(rows[0]).toEqual([
      true,
      9007199254740991,
      '9007199254740992',
      '-170141183460469231731687303715884105727',
      1.5,
      'NaN',
      '-Infinity',
      '12.30',
      '0001-01-01',
      '1969-12-31T23:59:59.999999',
      '2026-11-23T10:00:00.000Z',
      'infinity',
      '10:00:00.5',
      '1 day',
      'YWI=',
      [
        { key: 'x', value: 1 },
        { key: 'y', value: 2 },
      ],
      [1, null],
      { n: { m: '1.10' } },
      '0192d3a4-0000-7000-8000-000000000000',
      null,
      '{"j":1}',
      '2026-01-01T00:00:00.123456789',
      'infinity',
      '\u{1F600}ø',
      5,
      '101',
      1,
    ]);
    expect(columns.map(({ name }) => name).filter((name) => name === 'a')).toHaveLength(2);
    expect(columns[10]).toEqual({ name: 'k', type: 'TIMESTAMP WITH TIME ZONE' });
  });

  test('other statements that read: WITH, FROM, VALUES, DESCRIBE, SUMMARIZE, SHOW, EXPLAIN, PIVOT', async () => {
    expect((await ask('with a as (select 1 x) from a')).rows).toEqual([[1]]);
    expect((await ask('values (1, 2); -- the end')).rows).toEqual([[1, 2]]);
    expect((await ask('describe events')).rowCount).toBeGreaterThan(40);
    expect((await ask('show tables')).rows.flat()).toEqual(
      expect.arrayContaining([
        'cart_adds',
        'events',
        'order_lines',
        'orders',
        'product_clicks',
        'quarantine',
        'searches',
        'sessions',
        'attribution',
      ]),
    );
    expect((await ask('summarize select position from product_clicks')).rowCount).toBe(1);
    expect(JSON.stringify((await ask('explain select count(*) from events')).rows)).toContain('PARQUET');
    expect(
      JSON.stringify((await ask("explain analyze select count(*) from events where date = '2026-11-24'")).rows),
    ).toContain('Total Files Read: 1 ');
    expect(
      (await ask("pivot events on type in ('Search', 'OrderCreated') using count(*) group by segment order by 1")).rows,
    ).toEqual([
      ['app', 0, 0],
      ['web', 1, 1],
    ]);
    expect(
      (await ask("select event_id from events where event_time >= '2026-11-24' and segment = 'app'")).rows,
    ).toEqual([['e-3']]);
  });
});

describe('limits', () => {
  test('rows and bytes beyond the limits are left out, and that is said', async () => {
    const few = await open({ maxRows: 10 });
    expect(await few.run({ tenantId: 'shop', segmentIds: [], sql: 'from range(10)' })).toMatchObject({
      rowCount: 10,
      truncated: false,
    });
    expect(await few.run({ tenantId: 'shop', segmentIds: [], sql: 'from range(100000000) a' })).toMatchObject({
      rowCount: 10,
      truncated: true,
    });
    await few.close();
    const answer = await ask("select repeat('x', 100000) from range(100)");
    expect(answer).toMatchObject({ rowCount: 9, truncated: true });
  });

  test('a query over its time is stopped', async () => {
    const quick = await open({ timeoutMs: 300 });
    for (const sql of [
      'select count(*) from range(1000000000000) a',
      'select max(a.range + b.range) from range(5000000) a, range(5000000) b',
      'select sum(hash(a)) from range(100000000000) t(a)',
    ]) {
      expect(await code(sql, quick)).toBe('query_timeout');
    }
    const recursion = 'with recursive t(n) as (select 1 union all select n + 1 from t) select count(*) from t';
    expect(['query_timeout', 'query_out_of_memory']).toContain(await code(recursion, quick));
    expect(await code('select 1', quick)).toBe('answered [[1]]');
    await quick.close();
  });

  test('a caller who goes away stops the query', async () => {
    const gone = new AbortController();
    const running = queries.run({
      tenantId: 'shop',
      segmentIds: [],
      sql: 'select count(*) from range(1000000000000)',
      signal: gone.signal,
    });
    setTimeout(() => gone.abort(), 100);
    await expect(running).rejects.toMatchObject({ code: 'query_cancelled' });
    const aborted = queries.run({ tenantId: 'shop', segmentIds: [], sql: 'select 1', signal: AbortSignal.abort() });
    await expect(aborted).rejects.toMatchObject({ code: 'query_cancelled' });
  });

  test('a query over its memory fails and nothing else does', async () => {
    const small = await open({ memoryMb: 64 });
    expect(await code("select count(distinct range || repeat('x', 50)) from range(20000000)", small)).toBe(
      'query_out_of_memory',
    );
    expect(await code('select list(a.range) from range(50000000) a', small)).toBe('query_out_of_memory');
    expect(await code('select count(*) from events', small)).toBe('answered [[3]]');
    await small.close();
  });
});

describe('hostile SQL', () => {
  const own = (): string => storage.localPath('events/tenant=shop')!.replaceAll("'", "''");
  const theirs = (): string => storage.localPath('events/tenant=other')!.replaceAll("'", "''");

  test.each([
    ['', 'sql_not_one_statement'],
    [';;', 'sql_not_one_statement'],
    ['select 1; select 2', 'sql_not_one_statement'],
    ['selec 1', 'sql_invalid'],
    ['select nothing from events', 'sql_invalid'],
    ['select * from no_such_view', 'sql_invalid'],
    ['select cast(phrase as integer) from events', 'sql_failed'],
    ["attach '/tmp/x.db'", 'sql_not_a_query'],
    ["copy events to '/tmp/spor-pwned.csv'", 'sql_not_a_query'],
    ["explain analyze copy events to '/tmp/spor-pwned.csv'", 'sql_not_a_query'],
    ["export database '/tmp/spor-pwned'", 'sql_not_a_query'],
    ['set threads = 64', 'sql_not_a_query'],
    ['reset lock_configuration', 'sql_not_a_query'],
    ['pragma database_list', 'sql_not_a_query'],
    ['install httpfs', 'sql_not_a_query'],
    ["load '/tmp/x.duckdb_extension'", 'sql_not_a_query'],
    ['call enable_logging()', 'sql_not_a_query'],
    ['create table x as select 1', 'sql_not_a_query'],
    ['create or replace view events as select 1', 'sql_not_a_query'],
    ['drop view events', 'sql_not_a_query'],
    ['insert into events values (1)', 'sql_not_a_query'],
    ['create secret (type s3)', 'sql_not_a_query'],
    ['prepare p as select 1', 'sql_not_a_query'],
    ['checkpoint', 'sql_not_a_query'],
    ['begin', 'sql_not_a_query'],
    ["select * from read_csv('/etc/passwd')", 'sql_forbidden'],
    ["select * from READ_TEXT('/etc/passwd')", 'sql_forbidden'],
    ["select (select content from read_text('/proc/self/environ'))", 'sql_forbidden'],
    ["select * from events where event_id in (select filename from glob('/**'))", 'sql_forbidden'],
    ["with a as (from read_blob('/etc/*')) select 1", 'sql_forbidden'],
    ["from read_parquet('s3://bucket/x.parquet')", 'sql_forbidden'],
    ["from parquet_metadata('x')", 'sql_forbidden'],
    ["from sniff_csv('/etc/passwd')", 'sql_forbidden'],
    ["from query('select 1')", 'sql_forbidden'],
    ["from query_table('events')", 'sql_forbidden'],
    ['from duckdb_settings()', 'sql_forbidden'],
    ['from duckdb_secrets()', 'sql_forbidden'],
    ['from arrow_scan(0, 0, 0)', 'sql_forbidden'],
    ["from enable_logging(storage = 'file', storage_config = {'path': '/tmp/spor-pwned'})", 'sql_forbidden'],
    ['from system.main.enable_logging()', 'sql_forbidden'],
    ['select * from "enable_profiling"()', 'sql_forbidden'],
    ["select write_log('x')", 'sql_forbidden'],
    ['select list_transform([1], lambda x: main.write_log(x))', 'sql_forbidden'],
    ["select current_setting('allowed_paths')", 'sql_forbidden'],
    ["select getenv('HOME')", 'sql_forbidden'],
    ['select sleep_ms(100000)', 'sql_forbidden'],
  ])('%s is %s', async (sql, expected) => {
    expect(await code(sql)).toBe(expected);
  });

  test("files by name, one's own and others', are no tables", async () => {
    for (const path of [
      '/etc/passwd',
      '/etc/passwd.csv',
      `${own()}/**/*.parquet`,
      `${theirs()}/segment=web/date=2026-11-23/x.parquet`,
    ]) {
      expect(['sql_invalid', 'sql_forbidden']).toContain(await code(`select * from '${path}'`));
    }
  });

  test('what refuses a table function is the sandbox too, not the check alone', async () => {
    const { runSandboxed } = await import('../../../query/sandbox/sandbox.ts');
    const theirFile = await commitRows(storage, 'third', [search]);
    const path = storage.localPath(`events/tenant=third/${theirFile.path}`)!.replaceAll("'", "''");
    const attacks = [
      `from read_parquet('${path}')`,
      `from '${path}'`,
      "from read_text('/etc/passwd')",
      "copy (select 1) to '/tmp/spor-pwned.csv'",
      'set threads = 64',
      "attach '/tmp/spor-pwned.db'",
      'load httpfs',
    ];
    for (const sql of attacks)
      await expect(
        runSandboxed({ views: [], files: ['/nowhere'], sql }, { limits: LIMITS }, (session) => session.stream()),
      ).rejects.toMatchObject({
        name: 'LakeError',
      });
  });

  test('deeply nested SQL ends in an error, not in the process', async () => {
    const deep = `select ${'('.repeat(3_000)}1${')'.repeat(3_000)}`;
    expect(['sql_invalid', 'answered [[1]]']).toContain(await code(deep));
    const long = `select ${Array.from({ length: 5_000 }, (_, i) => `${i}`).join(' + ')}`;
    expect(['sql_invalid', 'answered [[12497500]]']).toContain(await code(long));
    expect(await code('select 1')).toBe('answered [[1]]');
  });
});

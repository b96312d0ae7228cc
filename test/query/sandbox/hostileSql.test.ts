import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTableCache } from '../../../lake/layout/tableCache.ts';
import { lakeFolderFiles } from '../../../lake/files/localFiles.ts';
import { openQueries, type Queries } from '../../../query/engine/query.ts';
import { residentBytes } from '../../../query/sandbox/worker/residentBytes.ts';
import { WorkerPool } from '../../../query/sandbox/worker/pool.ts';
import { openLocalStorage } from '../../../lake/storage/local.ts';
import { createLog } from '../../../runtime/log.ts';
import { childrenOf } from '../../../scripts/stack/processes.ts';
import { until } from '../../support/until.ts';
import { commitRows, REGISTRY } from '../../support/lakeFixture.ts';
import { MIB } from '../../../runtime/units.ts';

const LIMITS = { memoryMb: 64, threads: 1, timeoutMs: 1_500, maxRows: 1_000, maxBytes: 2 * MIB };
/** What a query's process may hold for a moment: DuckDB's limit, the process itself, and what it takes between two looks. */
const MOST_BYTES = 1_536 * MIB;

let dir: string;
let queries: Queries;
let mostBytes = 0;
let watch: NodeJS.Timeout;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'spor-test-hostile-'));
  const storage = await openLocalStorage(join(dir, 'lake'));
  const event = { type: 'Search', event_id: 'e-1', event_time: '2026-11-23T10:00:00Z', phrase: 'shoes' };
  await commitRows(storage, 'shop', [event]);
  await commitRows(storage, 'other', [{ ...event, event_id: 'secret' }]);
  queries = await openQueries({
    storage,
    tables: createTableCache(storage, REGISTRY),
    registry: REGISTRY,
    localFiles: lakeFolderFiles(storage),
    limits: LIMITS,
    executor: await WorkerPool.start(createLog('test', 'silent')),
    dir: join(dir, 'answers'),
  });
  const look = async (): Promise<void> => {
    for (const pid of childrenOf(process.pid)) mostBytes = Math.max(mostBytes, (await residentBytes(pid)) ?? 0);
  };
  watch = setInterval(() => void look(), 20);
});

afterAll(async () => {
  clearInterval(watch);
  await queries?.close();
  await until(() => childrenOf(process.pid).length === 0);
  await rm(dir, { recursive: true, force: true });
});

function outcome(tenantId: string, sql: string): Promise<string> {
  return queries.run({ tenantId, segmentIds: [], sql }).then(
    ({ rows, truncated }) => (truncated ? 'cut' : JSON.stringify(rows)),
    (error: unknown) => (error as { code: string }).code,
  );
}

const STOPPED = ['query_timeout', 'query_out_of_memory'];

test.each<[string, string]>([
  ['text beyond any limit', "select length(repeat('x', 2000000000)) from range(100)"],
  ['a list folded while planning', 'select len(range(1000000000))'],
  ['a cross join', 'select count(*) from range(10000000) a, range(10000000) b where a.range * b.range = 7'],
  ['recursion without end', 'with recursive t(n) as (select 1 union all select n + 1 from t) select max(n) from t'],
  ['groups without end', 'select range, count(*) from range(1000000000) group by 1 limit 1'],
  ['expressions within each other', `select ${"{'a':".repeat(400)}1${'}'.repeat(400)}`],
  [
    'unions that double',
    `with t0 as (select 1 x)${Array.from({ length: 28 }, (_, i) => `, t${i + 1} as (from t${i} union all from t${i})`).join('')} select count(*) from t28`,
  ],
  ['comments within each other', `select 1 ${'/*'.repeat(120_000)}`],
  ['a million edits', "select levenshtein(repeat('a', 1000000), repeat('b', 1000000))"],
])('%s is stopped, and others are answered meanwhile', async (_what, sql) => {
  const [stopped, other] = await Promise.all([
    outcome('shop', sql),
    outcome('other', "select event_id from events where event_id = 'secret'"),
  ]);
  expect(STOPPED).toContain(stopped);
  expect(other).toBe('[["secret"]]');
  expect(mostBytes).toBeLessThan(MOST_BYTES);
});

test('what ends by itself is answered or refused, whatever it is', async () => {
  const known = ['cut', 'sql_invalid', 'sql_failed', 'sql_forbidden', 'sql_not_one_statement', ...STOPPED];
  for (const sql of [
    "select repeat('x', 100000) from range(100000000)",
    'from range(100000000)',
    "select regexp_matches(repeat('a', 100000), '(a+)+(a+)+(a+)+$b')",
    "select regexp_matches('a', '((((a{1,30}){1,30}){1,30}){1,30})')",
    `select ${'not '.repeat(60_000)}true`,
    `select ${'('.repeat(120_000)}1${')'.repeat(120_000)}`,
    `select a${'.a'.repeat(120_000)}`,
    `${';'.repeat(200_000)}select 1`,
    "select json_valid(repeat('[', 1000000) || repeat(']', 1000000))",
    "copy events to '/tmp/spor-pwned.csv'",
    "attach '/tmp/spor-pwned.db'",
    'install httpfs',
    'pragma database_list',
    "set memory_limit = '100GB'",
    "select getenv('PATH')",
    "from read_text('/proc/self/environ')",
    "select * from '/etc/passwd'",
    'select 1; select 2',
  ]) {
    const found = await outcome('shop', sql);
    expect([...known, 'sql_not_a_query', '[[true]]', '[[false]]', '[[1]]'], sql.slice(0, 60)).toContain(found);
  }
  expect(await outcome('other', 'select event_id from events')).toBe('[["secret"]]');
});

test('a caller who goes away ends a query that does not heed it, and no answer is left behind', async () => {
  const gone = new AbortController();
  const asked = queries.run({
    tenantId: 'shop',
    segmentIds: [],
    sql: "select length(repeat('x', 2000000000)) from range(100)",
    signal: gone.signal,
  });
  setTimeout(() => gone.abort(), 100);
  await expect(asked).rejects.toMatchObject({ name: 'LakeError' });
  const parquet = queries.answer({
    tenantId: 'shop',
    segmentIds: [],
    sql: 'select hash(range) a, hash(range + 1) b from range(1000000)',
    format: 'parquet',
  });
  await expect(parquet.then(({ truncated }) => truncated)).resolves.toBe(true);
  await (await parquet).remove();
  expect(await readdir(join(dir, 'answers'))).toEqual([]);
});

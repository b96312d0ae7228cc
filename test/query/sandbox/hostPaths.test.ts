import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DuckDBConnection } from '@duckdb/node-api';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTableCache } from '../../../lake/layout/tableCache.ts';
import { lakeFolderFiles } from '../../../lake/files/localFiles.ts';
import { openQueries, type Queries } from '../../../query/engine/query.ts';
import { FORMATS, type AnswerFormat } from '../../../query/formats/formats.ts';
import { withoutPaths } from '../../../query/sandbox/duckdbErrors.ts';
import { openInstance } from '../../../query/sandbox/instances.ts';
import { openParser, runSandboxed } from '../../../query/sandbox/sandbox.ts';
import { checkSql } from '../../../query/sandbox/sqlCheck.ts';
import { LakeError } from '../../../lake/errors.ts';
import { openLocalStorage } from '../../../lake/storage/local.ts';
import { commitRows, REGISTRY } from '../../support/lakeFixture.ts';
import { MIB } from '../../../runtime/units.ts';

const LIMITS = { memoryMb: 256, threads: 1, timeoutMs: 20_000, maxRows: 100_000, maxBytes: 32 * MIB };
const NAMES = Object.keys(FORMATS) as AnswerFormat[];

let dir: string;
let queries: Queries;
/** A data file of the tenant. */
let file: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'spor-test-paths-'));
  const storage = await openLocalStorage(join(dir, 'lake'));
  const { path } = await commitRows(storage, 'shop', [
    { type: 'Search', event_id: 'e-1', event_time: '2026-11-23T10:00:00Z', phrase: 'shoes' },
  ]);
  queries = await openQueries({
    storage,
    tables: createTableCache(storage, REGISTRY),
    registry: REGISTRY,
    localFiles: lakeFolderFiles(storage),
    limits: LIMITS,
    dir: join(dir, 'answers'),
  });
  file = storage.localPath(`events/tenant=shop/${path}`)!;
});
afterAll(async () => {
  await queries?.close();
  await rm(dir, { recursive: true, force: true });
});

async function outcome(sql: string, format: AnswerFormat = 'json'): Promise<{ text: string; code: string }> {
  try {
    const answer = await queries.answer({ tenantId: 'shop', segmentIds: [], sql, format });
    const text = await readFile(answer.file, 'latin1');
    await answer.remove();
    return { text, code: 'answered' };
  } catch (error) {
    return { text: (error as Error).message, code: (error as LakeError).code };
  }
}

const code = async (sql: string): Promise<string> => (await outcome(sql)).code;

/** Calls of every built-in relation and function. */
async function builtIns(connection: DuckDBConnection): Promise<string[]> {
  const names = async (sql: string): Promise<string[]> =>
    (await connection.runAndReadAll(sql)).getRows().map((row) => row.map(String).join('.'));
  const views = await names('select schema_name, view_name from duckdb_views() where internal');
  const functions = "from duckdb_functions() where regexp_matches(function_name, '^[a-z_0-9]+$') and function_type in";
  const ofTables = await names(`select distinct function_name ${functions} ('table', 'table_macro')`);
  const ofValues = await names(`select distinct function_name ${functions} ('scalar', 'macro')`);
  const calls = ["('allowed_paths')", "('from duckdb_settings()')::varchar", '(oid)::varchar from pg_class', '()'];
  return [
    ...views.flatMap((view) => [`from ${view}`, `summarize ${view}`]),
    ...ofTables.flatMap((name) => [`from ${name}()`, `from ${name}('events')`, `from ${name}('pg_settings', value)`]),
    ...ofValues.flatMap((name) => calls.map((call) => `select ${name}${call}`)),
  ];
}

test('no allowed relation or function shows a path of this host, or a setting', async () => {
  const parser = await openParser();
  const shown: string[] = [];
  let allowed = 0;
  const view = `create view events as select * from read_parquet(['${file}'])`;
  await runSandboxed({ views: [view], files: [file], sql: '' }, { limits: LIMITS }, async ({ connection }) => {
    for (const sql of await builtIns(connection)) {
      if (await checkSql(parser.connection, sql).catch(() => undefined)) {
        allowed++;
        const text = await connection
          .runAndReadAll(sql)
          .then((answer) => JSON.stringify(answer.getRowsJson()))
          .catch((error: Error) => error.message);
        if (text.includes(dir) || text.includes('LOGICAL_GET')) shown.push(sql);
      }
    }
  });
  parser.close();
  expect(shown).toEqual([]);
  expect(allowed).toBeGreaterThan(1_000);
});

test.each([
  'from pg_settings',
  'from pg_catalog.pg_settings',
  'from system.pg_catalog."pg_settings"',
  'select (select max(value) from PG_SETTINGS)',
  'summarize pg_settings',
  'table pg_settings',
  'explain select * from pg_settings',
  '/* c */ explain select * from pg_settings; -- d',
  'from information_schema.views',
  'from duckdb_views',
  'from sqlite_master',
  'select pg_get_viewdef(1)',
  'select current_query()',
  "select json_serialize_plan('from duckdb_settings()')",
  `from histogram('"pg_settings"', name)`,
  `from histogram('pg_settings', name)`,
  `from histogram(bin_count := 3, source := pg_settings, col_name := name)`,
  `from histogram('/etc/passwd', c)`,
  `from histogram_values('"/etc/passwd"', c)`,
  `from histogram('pg_' || 'settings', name)`,
])('%s is sql_forbidden', async (sql) => {
  expect(await code(sql)).toBe('sql_forbidden');
});

test('a histogram of a view is answered', async () => {
  expect(await code('from histogram(events, type)')).toBe('answered');
  expect(await code("from histogram_values('searches', phrase)")).toBe('answered');
});

test('an error names a file without its folder', () => {
  const path = join(dir, 'x.parquet');
  const error = withoutPaths(new LakeError('sql_failed', `Conversion Error: in "${path}", and ${path}`), [path]);
  expect(error.message).toBe('Conversion Error: in "x.parquet", and x.parquet');
});

test('NUL ends no statement', async () => {
  expect(await outcome("select 1\0 from nothing where a = 'b'")).toMatchObject({ code: 'sql_invalid' });
  expect(await outcome("select 'a\0b'")).toMatchObject({ code: 'sql_invalid', text: expect.stringContaining('NUL') });
});

test('a long text is read, and one too long for memory says so', async () => {
  const numbers = Array.from({ length: 40_000 }, (_, index) => index);
  expect(await code(`select count(*) from events where len(event_id) in (${numbers.join(', ')})`)).toBe('answered');
  const ones = `select len([${Array.from({ length: 120_000 }, () => 1).join(',')}])`;
  expect(['answered', 'query_out_of_memory']).toContain(await code(ones));
  const instance = await openInstance({ memoryMb: 16, threads: 1 });
  const connection = await instance.connect();
  await expect(checkSql(connection, ones)).rejects.toMatchObject({ code: 'query_out_of_memory' });
  connection.closeSync();
  instance.closeSync();
});

describe.each(NAMES)('as %s', (format) => {
  test.each([
    'select 1',
    'select 1;',
    'select 1; -- c',
    'select 1 -- c',
    'select 1 --',
    'select 1;; /* c */ ; -- d\n',
    '/* c /* d */ */ ; select 1 /* e */',
    '-- c\nselect 1;\n-- d',
    "select ';--' ; -- it's",
    'select $$;--$$; -- c',
    'explain select 1; -- c',
    '/* c */ explain analyze select 1 /* d */;',
    'describe events; -- c',
    'summarize select 1; -- c',
    'show tables -- c',
    'from events; -- c',
    'values (1), (2); -- c',
    'with a as (select 1) from a; -- c',
  ])('%j is answered', async (sql) => {
    expect(await outcome(sql, format)).toMatchObject({ code: 'answered' });
  });
});

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DuckDBInstance, type DuckDBConnection } from '@duckdb/node-api';
import { tableFromIPC } from '@uwdata/flechette';
import { Table, writeParquet } from 'parquet-wasm';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { writeAnswer, type AnswerFacts } from '../../../query/sandbox/writeAnswer.ts';

const LIMITS = { memoryMb: 512, threads: 1, timeoutMs: 30_000, maxRows: 100_000, maxBytes: 64_000_000 };
const ROWS = 5_000;

const dir = await mkdtemp(join(tmpdir(), 'spor-test-arrow-'));
let connection: DuckDBConnection;
let count = 0;

beforeAll(async () => {
  connection = await (await DuckDBInstance.create(':memory:')).connect();
  await connection.run("SET TimeZone = 'UTC'");
});
afterAll(() => rm(dir, { recursive: true, force: true }));

async function ask(sql: string, limits: Partial<typeof LIMITS> = {}): Promise<AnswerFacts & { stream: Uint8Array }> {
  const file = join(dir, `answer-${count++}`);
  const query = { views: [], files: [], sql };
  const facts = await writeAnswer({ query, limits: { ...LIMITS, ...limits }, format: 'arrow', file });
  return { ...facts, stream: new Uint8Array(await readFile(file)) };
}

/** A table in DuckDB of what another implementation of Arrow (arrow-rs) has read and written as Parquet. */
async function read(stream: Uint8Array): Promise<string> {
  const path = join(dir, `read-${count++}.parquet`);
  await writeFile(path, writeParquet(Table.fromIPCStream(stream)));
  return `read_parquet('${path}')`;
}

/** Every third row is NULL, and the last two thousand are. */
const sometimes = (value: string): string => `case when i % 3 > 0 and i < 3000 then ${value} end`;

/** A type without the quotes of its names, which DuckDB sets here and not there. */
const bare = (type: unknown): string => String(type).replaceAll('"', '');

test.each<[type: string, value: string, comesBackAs?: string]>([
  ['BOOLEAN', 'i % 2 = 0'],
  ['TINYINT', '(i % 256 - 128)::tinyint'],
  ['SMALLINT', '(i - 2500)::smallint'],
  ['INTEGER', '(i - 2500)::integer * 800000'],
  ['BIGINT', '9223372036854775807 - i'],
  ['UTINYINT', '(i % 256)::utinyint'],
  ['USMALLINT', '(65535 - i)::usmallint'],
  ['UINTEGER', '(4294967295 - i)::uinteger'],
  ['UBIGINT', '18446744073709551615::ubigint - i::ubigint'],
  ['HUGEINT', '-99999999999999999999999999999999999999::hugeint + i', 'DECIMAL(38,0)'],
  ['FLOAT', "if(i = 1, 'nan', i / 7)::float"],
  ['DOUBLE', "if(i = 1, '-inf', i / 7)::double"],
  ['DECIMAL(18,4)', "('-99999999999999.9999'::decimal(18,4) + i)::decimal(18,4)"],
  ['DECIMAL(4,1)', '(i % 999 - 500)::decimal(4,1)'],
  ['DECIMAL(38,10)', "('9999999999999999999999999999.0123456789'::decimal(38,10) - i)::decimal(38,10)"],
  ['VARCHAR', "['', 'Grøn æble', '👟' || i, chr(0), chr(65279) || 'x', repeat('x', 300)][i % 6 + 1]"],
  ['BLOB', "encode('æ' || i) || '\\xFF\\x00'::blob"],
  ['DATE', "'1960-02-29'::date + i::integer * 30"],
  ['TIME', "'00:00:00.000001'::time + to_seconds(i)"],
  ['TIMESTAMP', 'make_timestamp(-1 - i * 1000003)'],
  ['TIMESTAMP WITH TIME ZONE', 'to_timestamp(1764000000) + to_microseconds(i * 1000003)'],
  ['TIMESTAMP_MS', "('1969-12-31 23:59:59.999'::timestamp - to_days(i::integer))::timestamp_ms", 'TIMESTAMP'],
  ['TIMESTAMP_NS', 'make_timestamp_ns(1764000000123456789 + i)'],
  ["ENUM('new', 'old')", "if(i % 2 = 0, 'new', 'old')::enum('new', 'old')", 'VARCHAR'],
  ['UUID', "('00000000-0000-4000-8000-' || lpad(i::varchar, 12, '0'))::uuid", 'VARCHAR'],
  ['VARCHAR[]', "list_value('a' || i, NULL, '')[:i % 4]"],
  ['DECIMAL(18,4)[][]', '[[i, NULL], NULL, []]::decimal(18,4)[][]'],
  ['STRUCT(a INTEGER, "__proto__" TIMESTAMP)', `{'a': ${sometimes('i::integer')}, '__proto__': make_timestamp(i)}`],
  [
    'STRUCT(product VARCHAR, price DECIMAL(18,4), since DATE)[]',
    "list_transform(range(i % 4), x -> {'product': 'p' || x, 'price': (x + 0.1)::decimal(18,4), 'since': if(x = 1, NULL, '2026-11-24'::date)})",
  ],
  ['MAP(VARCHAR, BIGINT)', 'map([chr(97 + (i % 3)::int), chr(104)], [i, NULL])'],
])('%s comes through as it is', async (type, value, comesBackAs = type) => {
  const sql = `select i, ${sometimes(value)} as v, ${value} as whole from range(${ROWS}) t(i)`;
  const { stream, columns, rowCount, truncated, bytes } = await ask(sql);
  expect(columns.map((column) => bare(column.type))).toEqual(['BIGINT', bare(type), bare(type)]);
  expect({ rowCount, truncated, bytes }).toEqual({ rowCount: ROWS, truncated: false, bytes: stream.length });
  const table = await read(stream);
  const described = await connection.runAndReadAll(`describe from ${table}`);
  expect(described.getRows().map((row) => bare(row[1]))).toEqual(['BIGINT', bare(comesBackAs), bare(comesBackAs)]);
  const expected = `select i, v::${comesBackAs}, whole::${comesBackAs} from (${sql})`;
  const differing = await connection.runAndReadAll(
    `(from ${table} except all ${expected}) union all (${expected} except all from ${table}) limit 3`,
  );
  expect(differing.getRowsJson()).toEqual([]);
});

test('types that Parquet does not have', async () => {
  const { stream } = await ask(`select NULL as none, 340282366920938463463374607431768211455::uhugeint as huge,
    interval '1 month 2 days 3 seconds' as step, '12:00:00+02'::timetz as zoned, '101'::bit as bits,
    union_value(num := 2) as either, [1, NULL]::integer[2] as pair, 7 as same, 8 as same`);
  // Read and written by arrow-rs in between.
  const table = tableFromIPC(Table.fromIPCStream(stream).intoIPCStream(), { useBigInt: true, useDecimalInt: true });
  expect(table.schema.fields.map(({ name }) => name).join()).toBe('none,huge,step,zoned,bits,either,pair,same,same');
  expect(table.children.map((column) => column.at(0) as unknown)).toEqual([
    null,
    340282366920938463463374607431768211455n,
    new Float64Array([1, 2, 3_000_000_000]),
    '12:00:00+02',
    '101',
    '{"tag":"num","value":2}',
    [1, null],
    7,
    8,
  ]);
});

test('an integer of more digits than Arrow has is refused', async () => {
  await expect(ask('select 170141183460469231731687303715884105727::hugeint as v')).rejects.toMatchObject({
    code: 'sql_failed',
    message: expect.stringContaining('Cast the column') as string,
  });
});

test('no rows have a schema', async () => {
  const { stream, rowCount } = await ask("select 1::decimal(18,4) as price, ['a'] as tags where false");
  expect(rowCount).toBe(0);
  const described = await connection.runAndReadAll(`describe from ${await read(stream)}`);
  expect(described.getRows().map((row) => row.slice(0, 2))).toEqual([
    ['price', 'DECIMAL(18,4)'],
    ['tags', 'VARCHAR[]'],
  ]);
});

test.each([
  ['rows', { maxRows: 2_500, maxBytes: LIMITS.maxBytes }],
  ['bytes', { maxRows: LIMITS.maxRows, maxBytes: 50_000 }],
])('an answer beyond the limit of %s is cut after a row, and says so', async (_, { maxRows, maxBytes }) => {
  const facts = await ask(`select i, 'text ' || i as v from range(${ROWS}) t(i)`, { maxRows, maxBytes });
  expect(facts.truncated).toBe(true);
  const table = await read(facts.stream);
  const [seen] = (await connection.runAndReadAll(`select count(*)::integer, max(i)::integer from ${table}`)).getRows();
  expect(seen).toEqual([facts.rowCount, facts.rowCount - 1]);
  // No room is left for one more row with a batch of its own.
  expect(facts.rowCount === maxRows || maxBytes - facts.bytes < 400).toBe(true);
});

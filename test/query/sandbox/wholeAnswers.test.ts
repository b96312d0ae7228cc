import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DuckDBInstance } from '@duckdb/node-api';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FORMATS, type AnswerFormat } from '../../../query/formats/formats.ts';
import { openRowStream } from '../../../query/sandbox/rowStream.ts';
import type { SandboxLimits, SandboxQuery } from '../../../query/sandbox/sandbox.ts';
import { writeAnswer, type AnswerFacts } from '../../../query/sandbox/writeAnswer.ts';

const ROWS = 60_000;
const LIMITS: SandboxLimits = {
  memoryMb: 256,
  threads: 1,
  timeoutMs: 20_000,
  maxRows: 1_000_000_000,
  maxBytes: 4_000_000_000,
};
const NAMES = Object.keys(FORMATS) as AnswerFormat[];
/** More rows than any of the times here is long. Rows are wide, so that the first leave before DuckDB has made the last. */
const ENDLESS = "select i, repeat('abc', 40) p from range(1000000000) t(i)";

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'spor-test-whole-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

function failingAt(row: number): string {
  return `select i, repeat('abc', 40) p,\n (case when i = ${row} then 'x' else '1' end)::int a from range(${ROWS}) t(i)`;
}

function ask(
  format: AnswerFormat,
  query: Partial<SandboxQuery> & { sql: string },
  limits: Partial<SandboxLimits> = {},
): Promise<AnswerFacts> {
  const file = join(dir, randomUUID());
  return writeAnswer({ query: { views: [], files: [], ...query }, limits: { ...LIMITS, ...limits }, format, file });
}

describe.each(NAMES)('an answer in %s is whole, or an error', (format) => {
  test.each([
    ['the first row', 0],
    ['the end of the first chunk', 2_047],
    ['the middle', 40_000],
    ['the last row', ROWS - 1],
  ])('a failure in %s is the error of the statement', async (_, row) => {
    const error = await ask(format, { sql: failingAt(row) }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'sql_failed' });
    expect((error as Error).message).toMatch(/^Conversion Error: Could not convert string 'x' to INT32\n\nLINE 2: /);
  });

  test('a failure of bound values is the error of the statement', async () => {
    const sql =
      "select i, repeat('abc', 40) p, (case when i = $row then 'x' else '1' end)::int a from range(60000) t(i)";
    const parameters = { values: { row: 40_000 }, types: {} };
    await expect(ask(format, { sql, parameters })).rejects.toMatchObject({ code: 'sql_failed' });
  });

  test('a comment at the end hides no failure', async () => {
    await expect(ask(format, { sql: `${failingAt(40_000)} -- done` })).rejects.toMatchObject({ code: 'sql_failed' });
  });

  test('a failure that does not come again is an error', async () => {
    const sql = `select i, repeat('abc', 40) p, case when random() < 0.0002 then error('now') else i end a from range(${ROWS}) t(i)`;
    const error = await ask(format, { sql }).catch((thrown: unknown) => thrown);
    expect(['sql_failed', 'sql_invalid', 'internal']).toContain((error as { code?: string }).code);
  });

  test('the end of the time is query_timeout', async () => {
    await expect(ask(format, { sql: ENDLESS }, { timeoutMs: 400 })).rejects.toMatchObject({ code: 'query_timeout' });
  });

  test('the end of the memory is query_out_of_memory', async () => {
    const sql = 'select i, list(j) l from range(2000000) a(i), range(20) b(j) group by i';
    await expect(ask(format, { sql }, { memoryMb: 32 })).rejects.toMatchObject({ code: 'query_out_of_memory' });
  });

  test('a caller who leaves gets query_cancelled', async () => {
    const caller = new AbortController();
    const answer = ask(format, { sql: ENDLESS, signal: caller.signal });
    setTimeout(() => caller.abort(), 300);
    await expect(answer).rejects.toMatchObject({ code: 'query_cancelled' });
  });

  test('the limit of rows cuts and says so, at each place in a chunk', async () => {
    for (const maxRows of [1, 2_047, 2_048, 2_049, ROWS - 1]) {
      const facts = await ask(format, { sql: failingAt(-1) }, { maxRows });
      expect(facts).toMatchObject({ rowCount: maxRows, truncated: true });
    }
    expect(await ask(format, { sql: failingAt(-1) }, { maxRows: ROWS })).toMatchObject({
      rowCount: ROWS,
      truncated: false,
    });
  });

  test('the limit of bytes holds for an answer that is made at once', async () => {
    const asked = ask(format, { sql: 'select i from range(2000) t(i)' }, { maxBytes: 512 });
    const ended: unknown = await asked.catch((error: unknown) => error);
    expect(ended).toMatchObject(format === 'parquet' ? { code: 'answer_too_large' } : { truncated: true });
  });

  test('the limit of bytes cuts and says so, or is answer_too_large', async () => {
    const sql = 'select i, hash(i)::varchar h from range(10000000) t(i)';
    const ended = await ask(format, { sql }, { maxBytes: 1_000_000 }).catch((error: unknown) => error);
    expect(ended).toMatchObject(format === 'parquet' ? { code: 'answer_too_large' } : { truncated: true });
  });

  test.each([0, 1, 2_047, 2_048, 2_049, 4_096, ROWS])('%i rows are whole', async (rows) => {
    const facts = await ask(format, { sql: `select i from range(${rows}) t(i)` });
    expect(facts).toMatchObject({ rowCount: rows, truncated: false });
  });
});

test('a stream that another caller interrupts is an error', async () => {
  const instance = await DuckDBInstance.create(':memory:', { threads: '1' });
  const connection = await instance.connect();
  try {
    const sql = 'select i from range(10000000) t(i)';
    const stream = await openRowStream(connection, { sql, check: () => undefined });
    const read = async (): Promise<void> => {
      for await (const rows of stream.chunks()) if (rows[0]![0] === 0n) connection.interrupt();
    };
    await expect(read()).rejects.toMatchObject({ code: 'internal' });
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
});

test('one file reads streaming results', async () => {
  const root = fileURLToPath(new URL('../../..', import.meta.url));
  const tracked = ['ingest', 'lake', 'processor', 'query', 'runtime', 'stream', 'cli', 'scripts'];
  const files = execFileSync('git', ['ls-files', '-co', '--exclude-standard', ...tracked], {
    cwd: root,
    encoding: 'utf8',
  })
    .split('\n')
    .filter((path) => path.endsWith('.ts'));
  expect(files.length).toBeGreaterThan(100);
  const unsafe =
    /\bfetchChunk\b|\bfetchAllChunks\b|\bstreamAndRead|\bstartStream\b|\byield(?:Rows?|Row\w+|Converted\w+)\b|\.stream\((?!\)|\[)/;
  const readers: string[] = [];
  for (const path of files) if (unsafe.test(await readFile(join(root, path), 'utf8'))) readers.push(path);
  expect(readers).toEqual(['query/sandbox/rowStream.ts']);
});

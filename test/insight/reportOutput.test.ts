import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { zstdDecompressSync } from 'node:zlib';
import type { DuckDBConnection } from '@duckdb/node-api';
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { lastDays, writeReport, type ReportOutput } from '../../lake/insight/reportOutput.ts';
import { bindReport } from '../../lake/insight/reportRun.ts';
import { formatTable } from '../../scripts/cli/table.ts';
import { openDuckDb } from './eventTable.ts';
import { createMacros } from './rows.ts';
import { PERIOD, storeDay } from './shopDay.ts';

const compressors = { ZSTD: (input: Uint8Array) => new Uint8Array(zstdDecompressSync(input)) };

let connection: DuckDBConnection;
let close: () => void;
let dir: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'spor-report-'));
  ({ connection, close } = await openDuckDb());
  await storeDay(connection, [
    { type: 'Search', at: '10:00', phrase: 'shoes, "red"', resultsCount: 0 },
    { type: 'OrderCreated', at: '10:10', total: 129.95 },
  ]);
  await createMacros(connection);
});
afterAll(async () => {
  close();
  await rm(dir, { recursive: true });
});

async function written(name: string, output: (write: (text: string) => void) => ReportOutput): Promise<string> {
  let text = '';
  await writeReport(
    connection,
    bindReport({ name, ...PERIOD }),
    output((piece) => void (text += piece)),
  );
  return text;
}

test('csv', async () => {
  expect(await written('search_zero_results', (write) => ({ as: 'csv', write }))).toBe(
    'phrase,zero_results,searches,zero_result_rate,visitors,refined,last_searched_at\r\n' +
      '"shoes, ""red""",1,1,1,1,0,2026-11-02T10:00:00.000Z\r\n',
  );
});

test('json keeps decimals as text', async () => {
  const rows = JSON.parse(await written('revenue', (write) => ({ as: 'json', write }))) as unknown[];
  expect(rows).toMatchObject([{ currency: 'DKK', orders: 1, revenue: '129.9500', tax: null }]);
  expect(JSON.parse(await written('product_funnel', (write) => ({ as: 'json', write })))).toEqual([]);
});

test('table', async () => {
  const text = await written('search_zero_results', (write) => ({ as: 'table', write, format: formatTable }));
  expect(text.split('\n')[0]).toContain('zero_results');
  expect(text).toContain('shoes, "red"');
});

test('parquet, read by another reader', async () => {
  const path = join(dir, "it's.parquet");
  expect(await writeReport(connection, bindReport({ name: 'revenue', ...PERIOD }), { as: 'parquet', path })).toBe(1);
  const rows = await parquetReadObjects({ file: await asyncBufferFromFile(path), compressors });
  expect(rows).toMatchObject([{ currency: 'DKK', orders: 1n, revenue: 129.95, shipping: null }]);
  // The same report again: nothing of the first is left in the connection.
  expect(await writeReport(connection, bindReport({ name: 'revenue', ...PERIOD }), { as: 'parquet', path })).toBe(1);
});

test('the last days hold today', () => {
  expect(lastDays(Date.parse('2026-11-23T15:00:00Z'), 7)).toEqual({ from: '2026-11-17', to: '2026-11-24' });
});

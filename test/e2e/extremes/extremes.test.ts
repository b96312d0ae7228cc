import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { compactLake } from '../../../lake/maintenance/commands.ts';
import { listReports } from '../../../query/insight/reports.ts';
import { insightViews } from '../../../query/insight/views.ts';
import { listMarts, martSpec } from '../../../query/marts/mart.ts';
import { deltaTable } from '../../../lake/delta/table.ts';
import { FORMATS } from '../../../query/formats/formats.ts';
import { createLog } from '../../../runtime/log.ts';
import type { RedriveReport } from '../../../cli/redrive/redrive.ts';
import { REGISTRY } from '../../support/lakeFixture.ts';
import { martRows, refresh, TENANT } from '../../query/marts/martLake.ts';
import { readParquet } from '../../support/parquet.ts';
import { fieldIdFaults, logFaults } from '../../support/readers/logRules.ts';
import { expectedMoney, NO_MONEY, tenThousandths, type Money } from './expectedMoney.ts';
import { manyExtremes, oldExtremes, timeExtremes } from './extremeDays.ts';
import { extremeEvents } from './extremeEvents.ts';
import { startExtremeShop, type ExtremeShop } from './extremeShop.ts';
import { utcDay } from '../../../runtime/units.ts';

const LONG = 240_000;
const VIEWS = insightViews(REGISTRY).map(({ name }) => name);
/** From the oldest event that can be stored to the last day that there is. */
const ALL_TIME = '?from=0001-01-01&to=9999-12-31';
/** Reports with a row for each day of the period: a row for each of 3.6 million days is refused by its size. */
const BY_DAY = ['revenue_daily', 'search_daily'];

let shop: ExtremeShop;
/** What went wrong at the door: events stored that should be refused, or the other way round. */
const wrong: string[] = [];

beforeAll(async () => {
  shop = await startExtremeShop();
  wrong.push(...(await shop.send([...extremeEvents(REGISTRY), ...manyExtremes(REGISTRY)])));
  for (const { sentAt, events } of [...timeExtremes(REGISTRY), ...oldExtremes(REGISTRY)])
    wrong.push(...(await shop.send(events, sentAt)));
  await shop.bench.settled();
  // Again, so that the days that are over have several files to compact.
  for (const { sentAt, events } of timeExtremes(REGISTRY)) wrong.push(...(await shop.send(events, sentAt)));
  await shop.bench.settled();
}, LONG);
afterAll(() => shop?.stop());

async function rowsOf(response: Response): Promise<Record<string, unknown>[]> {
  const { columns, rows, ...failed } = (await response.json()) as { columns: { name: string }[]; rows: unknown[][] };
  if (response.status !== 200) throw new Error(JSON.stringify(failed));
  return rows.map((row) => Object.fromEntries(row.map((value, index) => [columns[index]!.name, value])));
}

async function failure(response: Response): Promise<string | undefined> {
  const text = await response.text();
  return response.status === 200 ? undefined : `${response.status} ${text.slice(0, 300)}`;
}

test('each extreme is stored, or refused with its code', async () => {
  expect(wrong).toEqual([]);
  const [stored] = await shop.bench.rows('events', TENANT, 'count(*) AS n', '1');
  expect(Number(stored!.n)).toBe(shop.accepted());
  const [refused] = await shop.bench.rows('quarantine', TENANT, 'count(*) AS n', '1');
  expect(Number(refused!.n)).toBe(shop.refused());
});

test('redrive lets in what is old, and nothing before 1970', async () => {
  const filter = ['--tenant', TENANT, '--code', 'timestamp_too_old', '--limit', '1000', '--json'];
  const { code, stdout, stderr } = await shop.spor('quarantine', 'redrive', ...filter, '--accept-old');
  expect([code, stderr]).toEqual([0, '']);
  const { counts, events } = JSON.parse(stdout) as RedriveReport;
  const notYet = oldExtremes(REGISTRY).reduce((sum, { events: sent, stored }) => sum + sent.length - stored, 0);
  expect(counts).toMatchObject({ refused: notYet, skipped: 0, published: 0 });
  const codes = events.filter(({ outcome }) => outcome === 'refused').map(({ refusedWith }) => refusedWith);
  expect(new Set(codes)).toEqual(new Set(['timestamp_too_old']));
  shop.redriven(new Set(events.filter(({ outcome }) => outcome === 'redriven').map(({ eventId }) => eventId)));
});

test(
  'every view answers, and every type of its columns in every format',
  async () => {
    expect(await viewFailures(Object.keys(FORMATS).filter((format) => format !== 'json'))).toEqual([]);
  },
  LONG,
);

/** Asks each view as JSON, and in the other formats where it has a column of a type that they have not met yet. */
async function viewFailures(others: readonly string[] = []): Promise<string[]> {
  const failed: string[] = [];
  const met = new Set<string>();
  for (const view of VIEWS) {
    const counts = new Set<string | null>();
    const ask = async (format: string): Promise<string[]> => {
      const response = await shop.query(`select * from ${view}`, format);
      const counted = `${response.headers.get('spor-rows')} ${response.headers.get('spor-truncated')}`;
      const text = await response.text();
      if (response.status !== 200) failed.push(`${view} as ${format}: ${response.status} ${text.slice(0, 300)}`);
      else counts.add(counted);
      if (response.status !== 200 || format !== 'json') return [];
      return (JSON.parse(text) as { columns: { type: string }[] }).columns.map(({ type }) => type);
    };
    const types = await ask('json');
    const isNew = types.some((type) => !met.has(type));
    for (const type of types) met.add(type);
    for (const format of isNew ? others : []) await ask(format);
    if (counts.size > 1) failed.push(`${view}: ${[...counts].join(', ')}`);
  }
  return failed;
}

test(
  'every report answers over all that there is',
  async () => {
    const failed: string[] = [];
    for (const { name } of listReports()) {
      // All of time holds the last days; where it is too much, they are asked for themselves.
      for (const period of BY_DAY.includes(name) ? ['', ALL_TIME] : [ALL_TIME]) {
        const fault = await failure(await shop.get(`/api/reports/${name}${period}`));
        const tooLong = BY_DAY.includes(name) && period === ALL_TIME && fault?.includes('query_out_of_memory');
        if (fault !== undefined && !tooLong) failed.push(`${name}${period}: ${fault}`);
      }
    }
    expect(failed).toEqual([]);
  },
  LONG,
);

test('a period that ends with the last day there is leaves nothing out', async () => {
  const total = async (report: string, column: string): Promise<number> => {
    const rows = await rowsOf(await shop.get(`/api/reports/${report}${ALL_TIME}`));
    return rows.reduce((sum, row) => sum + Number(row[column]), 0);
  };
  expect(await total('events_daily', 'events')).toBe(shop.accepted());
  expect(await total('rejections', 'events')).toBe(shop.refused());
});

test('positions of the oldest searches are as they were sent', async () => {
  const sql = `select distinct first_click_position from search_outcomes where phrase = 'old' and clicks > 0`;
  expect(await rowsOf(await shop.query(sql, 'json'))).toEqual([{ first_click_position: 2 }]);
});

function expectMoney(rows: readonly Record<string, unknown>[]): void {
  const found = new Map<string, Money>();
  for (const row of rows) {
    const sum = found.get(String(row.currency)) ?? NO_MONEY;
    found.set(String(row.currency), {
      orders: sum.orders + Number(row.orders),
      revenue: sum.revenue + tenThousandths(String(row.revenue)),
      items: sum.items + tenThousandths(String(row.items)),
      refunded: sum.refunded + tenThousandths(String(row.refunded)),
      goods: sum.goods + tenThousandths(String(row.goods_total)),
      goodsWithoutTax: sum.goodsWithoutTax + tenThousandths(String(row.goods_total_without_tax)),
    });
  }
  expect(found).toEqual(expectedMoney(shop.orders()));
  for (const row of rows)
    expect(tenThousandths(String(row.net_revenue))).toBe(
      tenThousandths(String(row.revenue)) - tenThousandths(String(row.refunded)),
    );
}

test('money is exact to the last digit', async () => {
  expectMoney(await rowsOf(await shop.get(`/api/reports/revenue${ALL_TIME}`)));
  const sql = `select currency, sum(line_total)::varchar as goods from order_lines where currency in ('MAX', 'MIN') group by 1`;
  const lines = await rowsOf(await shop.query(sql, 'json'));
  const expected = expectedMoney(shop.orders());
  for (const { currency, goods } of lines)
    expect(tenThousandths(goods as string)).toBe(expected.get(currency as string)!.goods);
});

test('every mart holds them, and others than DuckDB read it', marts, LONG);

async function marts(): Promise<void> {
  const { storage } = shop.bench;
  await refresh(storage);
  const rows = await martRows(storage);
  expectMoney(rows.revenue_daily!);
  for (const mart of listMarts(REGISTRY)) {
    const { root } = martSpec(mart, TENANT);
    const { files } = await deltaTable(storage, martSpec(mart, TENANT)).snapshot();
    let read = 0;
    for (const path of files.keys()) {
      const bytes = (await storage.get(`${root}/${path}`))!;
      read += (await readParquet(new Uint8Array(bytes).buffer)).length;
    }
    expect(read, mart.name).toBe(rows[mart.name]!.length);
    expect(read, mart.name).toBeGreaterThan(0);
  }
  await otherEngines();
}

/** Every table as another engine needs it, with every extreme in it. */
async function otherEngines(): Promise<void> {
  const marts = listMarts(REGISTRY).map((mart) => martSpec(mart, TENANT).root);
  const faults: string[] = [];
  for (const root of [`events/tenant=${TENANT}`, `quarantine/tenant=${TENANT}`, ...marts]) {
    faults.push(...(await logFaults(shop.bench.lakeDir, root)), ...(await fieldIdFaults(shop.bench.lakeDir, root)));
  }
  expect(faults).toEqual([]);
}

test(
  'an attached database shows every view and mart',
  async () => {
    const { code, stderr } = await shop.spor('attach', 'shop.duckdb', '--tenant', TENANT);
    expect([code, stderr]).toEqual([0, '']);
    const file = join(shop.bench.lakeDir, '..', 'shop.duckdb');
    const instance = await DuckDBInstance.create(file, { access_mode: 'READ_ONLY', threads: '1' });
    const connection = await instance.connect();
    const names = [...VIEWS, ...listMarts(REGISTRY).map(({ name }) => `marts.${name}`)];
    const failed: string[] = [];
    for (const name of names) {
      // Every column of every row: a count alone would leave most out.
      const sql = `SELECT count(*), bit_xor(hash(COLUMNS(*))) FROM ${name}`;
      await connection.runAndReadAll(sql).catch((error: Error) => failed.push(`${name}: ${error.message}`));
    }
    connection.closeSync();
    instance.closeSync();
    expect(failed).toEqual([]);
  },
  LONG,
);

test(
  'the counts add up and each receipt is found',
  async () => {
    const today = utcDay(Date.now());
    const yesterday = utcDay(Date.now() - 86_400_000);
    const reconciled = await shop.spor('reconcile', '--tenant', TENANT, '--from', yesterday, '--to', today);
    expect(reconciled.code, reconciled.stdout + reconciled.stderr).toBe(0);
    for (const receipt of [...shop.receipts.slice(0, 2), ...shop.receipts.slice(-3)]) {
      const found = await shop.spor('receipt', '--tenant', TENANT, receipt);
      expect(found.code, found.stdout + found.stderr).toBe(0);
    }
  },
  LONG,
);

test(
  'compaction changes nothing',
  async () => {
    const log = createLog('test', 'silent');
    const { storage, lakeDir } = shop.bench;
    const tables = { storage, registry: REGISTRY, tenantIds: [TENANT], log, workDir: join(lakeDir, '..', 'compact') };
    const [done] = await compactLake({ ...tables, memoryMb: 256, threads: 1, logRetentionMs: 86_400_000 });
    expect(done!.compacted.length).toBeGreaterThan(0);
    expectMoney(await rowsOf(await shop.get(`/api/reports/revenue${ALL_TIME}`)));
    const [stored] = await rowsOf(await shop.query('select count(*) as n from events_with_bots', 'json'));
    expect(stored!.n).toBe(shop.accepted());
    expect(await viewFailures()).toEqual([]);
  },
  2 * LONG,
);

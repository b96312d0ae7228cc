import type { DuckDBConnection } from '@duckdb/node-api';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { lastDays } from '../../../query/insight/reportRun.ts';
import { openDuckDb } from './eventTable.ts';
import { createMacros, report, type Row } from './rows.ts';
import type { Json } from '../../../query/formats/values.ts';
import { storeDay, type HandMade } from './shopDay.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** Days of the last, first or second Sunday of a month, by plain arithmetic. */
function sunday(year: number, month: number, nth: 'first' | 'second' | 'last'): number {
  if (nth === 'last') {
    const last = Date.UTC(year, month, 0);
    return last - new Date(last).getUTCDay() * DAY_MS;
  }
  const first = Date.UTC(year, month - 1, 1);
  return first + (((7 - new Date(first).getUTCDay()) % 7) + (nth === 'second' ? 7 : 0)) * DAY_MS;
}

/** Offsets in minutes by the published rules, without any time zone database. */
const OFFSETS: Record<string, (ms: number) => number> = {
  UTC: () => 0,
  'Asia/Kolkata': () => 330,
  // Directive 2000/84/EC: summer time begins and ends at 01:00 UTC.
  'Europe/Copenhagen': (ms) =>
    ms >= sunday(2026, 3, 'last') + HOUR_MS && ms < sunday(2026, 10, 'last') + HOUR_MS ? 120 : 60,
  // Energy Policy Act of 2005: at 02:00 local time.
  'America/New_York': (ms) =>
    ms >= sunday(2026, 3, 'second') + 7 * HOUR_MS && ms < sunday(2026, 11, 'first') + 6 * HOUR_MS ? -240 : -300,
  // Half an hour, the other way round: summer ends in April and begins in October at 02:00 local time.
  'Australia/Lord_Howe': (ms) =>
    ms >= sunday(2026, 4, 'first') - 9 * HOUR_MS && ms < sunday(2026, 10, 'first') - 8.5 * HOUR_MS ? 630 : 660,
};

function localDay(zone: string, ms: number): string {
  return new Date(ms + OFFSETS[zone]!(ms) * MINUTE_MS).toISOString().slice(0, 10);
}

/** Every moment of the events: each 30 minutes around both changes of clocks of each zone. */
const MOMENTS = ['2026-03-06', '2026-03-27', '2026-04-03', '2026-10-02', '2026-10-23', '2026-10-30'].flatMap((from) =>
  Array.from({ length: 4 * 48 }, (_, index) => Date.parse(from) + index * 30 * MINUTE_MS),
);

let connection: DuckDBConnection;
let close: () => void;

beforeAll(async () => {
  ({ connection, close } = await openDuckDb());
  const events = MOMENTS.flatMap((ms, index): HandMade[] => {
    const at = new Date(ms).toISOString();
    const order = { orderId: `O${index}`, total: index, lines: [{ productId: 'P1', quantity: 1, unitPrice: index }] };
    return [
      { type: 'Search', at, searchId: `q${index}` },
      { type: 'ProductClicked', at, searchId: `q${index}` },
      { type: 'OrderCreated', at, ...order },
    ];
  });
  await storeDay(connection, events);
  await createMacros(connection);
});
afterAll(() => close());

describe.each(Object.keys(OFFSETS))('days in %s', (zone) => {
  const from = '2026-03-05';
  const to = '2026-11-05';
  const expected = (value: (index: number) => number): Row => {
    const days: Record<string, number> = {};
    for (let day = Date.parse(from); day < Date.parse(to); day += DAY_MS)
      days[new Date(day).toISOString().slice(0, 10)] = 0;
    for (const [index, ms] of MOMENTS.entries()) days[localDay(zone, ms)]! += value(index);
    return days;
  };
  const byDay = (rows: readonly Row[], column: string): Row =>
    Object.fromEntries(rows.map((row) => [row.date as string, Number(row[column])]));

  test('searches', async () => {
    const rows = await report(connection, { name: 'search_daily', from, to, zone });
    expect(byDay(rows, 'searches')).toEqual(expected(() => 1));
    expect(byDay(rows, 'clicks')).toEqual(expected(() => 1));
  });

  test('orders and revenue', async () => {
    const rows = await report(connection, { name: 'revenue_daily', from, to, zone });
    expect(byDay(rows, 'orders')).toEqual(expected(() => 1));
    expect(byDay(rows, 'revenue')).toEqual(expected((index) => index));
  });

  test('events', async () => {
    const rows = (await report(connection, { name: 'events_daily', from, to, zone })).filter(
      ({ type }) => type === 'Search',
    );
    const found = Object.entries(expected(() => 1)).filter(([, events]) => events !== 0);
    expect(byDay(rows, 'events')).toEqual(Object.fromEntries(found));
  });
});

type More = { before?: boolean; nowMs?: number };

/** Days with searches, and their number. */
async function days(from: string, to: string, zone: string, { before, nowMs }: More = {}): Promise<[Json, Json][]> {
  const rows = await report(connection, { name: 'events_daily', from, to, zone, before }, nowMs);
  return rows.filter(({ type }) => type === 'Search').map(({ date, events }) => [date!, events!]);
}

/** Number of searches in a period. */
async function searches(from: string, to: string, zone: string, more: More = {}): Promise<number> {
  return (await days(from, to, zone, more)).reduce((sum, [, events]) => sum + Number(events), 0);
}

test('a day has 23, 24 or 25 hours', async () => {
  expect(await searches('2026-03-28', '2026-03-29', 'Europe/Copenhagen')).toBe(48);
  expect(await searches('2026-03-29', '2026-03-30', 'Europe/Copenhagen')).toBe(46);
  expect(await searches('2026-10-25', '2026-10-26', 'Europe/Copenhagen')).toBe(50);
  expect(await searches('2026-03-08', '2026-03-09', 'America/New_York')).toBe(46);
  expect(await searches('2026-10-04', '2026-10-05', 'Australia/Lord_Howe')).toBe(47);
  expect(await searches('2026-04-05', '2026-04-06', 'Australia/Lord_Howe')).toBe(49);
});

test('the period before is as many whole days', async () => {
  expect(await searches('2026-03-30', '2026-03-31', 'Europe/Copenhagen', { before: true })).toBe(46);
  expect(await searches('2026-10-26', '2026-10-27', 'Europe/Copenhagen', { before: true })).toBe(50);
  // Hours that are no days are preceded by as many hours.
  const [from, to] = ['2026-03-29T02:00:00Z', '2026-03-29T04:00:00Z'];
  expect(await searches(from, to, 'Europe/Copenhagen', { before: true })).toBe(4);
});

test('a day that is not over is compared to the same time of day', async () => {
  // 12:00 in Copenhagen, an hour later by UTC than the day before.
  const nowMs = Date.parse('2026-10-26T11:00:00Z');
  const day = { before: true, nowMs };
  expect(await searches('2026-10-26', '2026-10-27', 'Europe/Copenhagen', day)).toBe(26);
  const spring = { before: true, nowMs: Date.parse('2026-03-30T10:00:00Z') };
  expect(await searches('2026-03-30', '2026-03-31', 'Europe/Copenhagen', spring)).toBe(22);
});

test('a slope over days does not feel the change of clocks', async () => {
  const slope = async (from: string, to: string): Promise<unknown> =>
    (await report(connection, { name: 'product_trend', from, to, zone: 'Europe/Copenhagen' }))[0]!.click_slope;
  // 46 and 48 clicks; 50 and 48.
  expect(await slope('2026-03-29', '2026-03-31')).toBe(2);
  expect(await slope('2026-10-25', '2026-10-27')).toBe(-2);
});

test('days follow the time zone database of this process, not that of DuckDB', async () => {
  for (const zone of ['America/Vancouver', 'Africa/Casablanca', 'Pacific/Chatham', 'Asia/Kathmandu']) {
    for (const date of ['2026-03-08', '2026-10-30', '2026-11-01']) {
      const next = new Date(Date.parse(date) + DAY_MS).toISOString().slice(0, 10);
      expect((await days(date, next, zone)).map(([day]) => day)).toEqual([date]);
    }
  }
});

test('the last days begin with the day of the shop', () => {
  const nowMs = Date.parse('2026-10-24T22:30:00Z');
  expect(lastDays(nowMs, 'Europe/Copenhagen', 1)).toEqual({ from: '2026-10-25', to: '2026-10-26' });
  expect(lastDays(nowMs, 'America/New_York', 7)).toEqual({ from: '2026-10-18', to: '2026-10-25' });
  expect(lastDays(nowMs, undefined, 1)).toEqual({ from: '2026-10-24', to: '2026-10-25' });
});

test.each(['+05:30', 'Europe/Atlantis', '', 'Europe/Copenhagen; DROP TABLE x'])('%j is no zone', async (zone) => {
  const asked = report(connection, { name: 'revenue', from: '2026-03-05', to: '2026-03-06', zone });
  await expect(asked).rejects.toMatchObject({ code: 'report_parameter' });
});

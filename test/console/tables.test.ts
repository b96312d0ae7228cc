import { describe, expect, test } from 'vitest';
import { amountChange, countChange, shareChange } from '../../console/figureChange.ts';
import { csvOf } from '../../console/csv.ts';
import { eventGist } from '../../console/eventGist.ts';
import { reconnectAfterMs } from '../../console/reconnect.ts';
import { foundRows, sortedRows } from '../../console/rowOrder.ts';
import { daysOfRange } from '../../console/viewState.ts';
import { startOfDay } from '../../console/zone.ts';
import { showTimesIn, when } from '../../console/format.ts';

interface Row {
  phrase: string | null;
  revenue?: string | null;
}
const phrase = (row: Row): unknown => row.phrase;
const revenue = (row: Row): unknown => row.revenue;

describe('rows of a table', () => {
  test('numbers as text are sorted by size, and nothing is last either way', () => {
    const rows: Row[] = ['9.5', null, '10', '-1'].map((amount) => ({ phrase: 'x', revenue: amount }));
    expect(sortedRows(rows, revenue, 'ascending').map(revenue)).toEqual(['-1', '9.5', '10', null]);
    expect(sortedRows(rows, revenue, 'descending').map(revenue)).toEqual(['10', '9.5', '-1', null]);
    expect(rows.map(revenue)).toEqual(['9.5', null, '10', '-1']);
  });

  test('are found by a part of any value, whatever its case', () => {
    const rows: Row[] = [
      { phrase: 'Red BOOTS', revenue: '12' },
      { phrase: null, revenue: '7' },
    ];
    expect(foundRows(rows, [phrase, revenue], ' boots ')).toEqual([rows[0]]);
    expect(foundRows(rows, [phrase, revenue], '7')).toEqual([rows[1]]);
    expect(foundRows(rows, [phrase], '')).toEqual(rows);
  });

  test('as CSV keep every digit, and run no formula in a spreadsheet', () => {
    const columns = [
      { title: 'Phrase', value: phrase },
      { title: 'Revenue, €', value: revenue },
    ];
    const rows: Row[] = [
      { phrase: '=HYPERLINK("http://x")', revenue: '-12345678901234.5678' },
      { phrase: 'a, "b"\nc', revenue: null },
      { phrase: '-50 %' },
    ];
    expect(csvOf(columns, rows)).toBe(
      ['Phrase,"Revenue, €"', `"'=HYPERLINK(""http://x"")",-12345678901234.5678`, '"a, ""b""\nc",', "'-50 %,", ''].join(
        '\r\n',
      ),
    );
  });
});

describe('the change since the period before', () => {
  test('of a count is sure where chance would seldom do it', () => {
    expect(countChange(1_200, '1000')).toEqual({ by: 0.19999999999999996, unit: 'percent', sure: true });
    expect(countChange(12, 10)).toMatchObject({ sure: false });
    expect(countChange(12, 0)).toBeUndefined();
    expect(countChange(null, 10)).toBeUndefined();
  });

  test('of a share is in points', () => {
    const change = shareChange(0.3, 1_000, 0.25, 1_000)!;
    expect(change).toMatchObject({ unit: 'points', sure: true });
    expect(change.by).toBeCloseTo(0.05);
    expect(shareChange(0.3, 100, 0.25, 100)).toMatchObject({ sure: false });
    expect(shareChange(0, 100, 0, 100)).toEqual({ by: 0, unit: 'points', sure: false });
    expect(shareChange(0.3, 100, null, 0)).toBeUndefined();
  });

  test('of an amount says nothing of chance', () => {
    expect(amountChange('150.00', '100.00')).toEqual({ by: 0.5, unit: 'percent', sure: undefined });
    expect(amountChange('150.00', undefined)).toBeUndefined();
  });
});

test('days are those of the shop, over a change of clocks', () => {
  const state = { view: 'search', days: 2 } as const;
  const [before, after] = [Date.parse('2026-10-24T21:59:59Z'), Date.parse('2026-10-24T22:00:00Z')];
  expect(daysOfRange(state, 'Europe/Copenhagen', before)).toEqual({ from: '2026-10-23', to: '2026-10-24' });
  expect(daysOfRange(state, 'Europe/Copenhagen', after)).toEqual({ from: '2026-10-24', to: '2026-10-25' });
  expect(daysOfRange(state, 'Asia/Kolkata', before)).toEqual({ from: '2026-10-24', to: '2026-10-25' });
  expect(new Date(startOfDay('Europe/Copenhagen', '2026-10-26')).toISOString()).toBe('2026-10-25T23:00:00.000Z');
  expect(new Date(startOfDay('America/Havana', '2026-03-08')).toISOString()).toBe('2026-03-08T05:00:00.000Z');
});

test('times are those of the shop', () => {
  showTimesIn('Asia/Kolkata');
  expect(when('2026-11-30T20:00:00Z', 'minute')).toMatch(/0?1:30/);
  showTimesIn('UTC');
});

test('a lost connection is tried again after growing pauses, up to half a minute', () => {
  expect([0, 1, 2, 3, 6, 40].map((attempt) => reconnectAfterMs(attempt, 1))).toEqual([
    500, 1_000, 2_000, 4_000, 30_000, 30_000,
  ]);
  expect(reconnectAfterMs(6, 0)).toBe(15_000);
});

test('an event in the live view says what it is about', () => {
  const gists = [
    { type: 'Search', phrase: 'red boots', search_id: 'q1' },
    { type: 'Search', phrase: '' },
    { type: 'ProductsShown', products: [{ product_id: 'A' }, { product_id: 'B' }], product_id: null },
    { type: 'ProductViewed', product_id: 'A', phrase: null },
    { type: 'CheckoutStarted', lines: [{ product_id: 'A' }] },
    { type: 'OrderCreated', order_id: '10042', lines: [{ product_id: 'A' }] },
    { type: 'CheckoutStarted', lines: null },
  ].map((row) => eventGist(row));
  expect(gists).toEqual(['“red boots”', 'everything', '2 products', 'A', '1 line', 'order 10042', '']);
});

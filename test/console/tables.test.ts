import { describe, expect, test } from 'vitest';
import { amountChange, countChange, shareChange } from '../../console/figureChange.ts';
import { csvOf } from '../../console/csv.ts';
import { reconnectAfterMs } from '../../console/reconnect.ts';
import { foundRows, sortedRows } from '../../console/rowOrder.ts';
import { periodBefore } from '../../console/viewState.ts';

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

  test('compares a period that is not over with as long a part', () => {
    const now = Date.parse('2026-11-30T08:25:00Z');
    expect(periodBefore({ view: 'search', days: 1 }, now)).toEqual({
      from: '2026-11-29T00:00:00.000Z',
      to: '2026-11-29T08:25:00.000Z',
    });
    expect(periodBefore({ view: 'search', from: '2026-11-01', to: '2026-11-02' }, now)).toEqual({
      from: '2026-10-30T00:00:00.000Z',
      to: '2026-11-01T00:00:00.000Z',
    });
  });
});

test('a lost connection is tried again after growing pauses, up to half a minute', () => {
  expect([0, 1, 2, 3, 6, 40].map((attempt) => reconnectAfterMs(attempt, 1))).toEqual([
    500, 1_000, 2_000, 4_000, 30_000, 30_000,
  ]);
  expect(reconnectAfterMs(6, 0)).toBe(15_000);
});

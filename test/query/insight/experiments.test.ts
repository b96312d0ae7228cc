import type { DuckDBConnection } from '@duckdb/node-api';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Json } from '../../../query/formats/values.ts';
import { openDuckDb } from './eventTable.ts';
import { createViews, report, type Row } from './rows.ts';
import { PERIOD, storeDay, type HandMade } from './shopDay.ts';

let connection: DuckDBConnection;
let close: () => void;
/** All experiments below, with the measures of all. */
let measures: Row[];
let experiments: Row[];

/** An event of a visitor in an experiment, a visit of its own. */
function met(experiment: string, visitor: string, variant: string, event: Partial<HandMade> = {}): HandMade {
  const id = `${experiment}-${visitor}`;
  const own = { sessionId: id, anonymousId: id, experiments: [{ id: experiment, variant }] };
  return { type: 'Search', at: '10:00', searchId: `q-${id}`, ...own, ...event };
}

function visitors(experiment: string, variant: string, count: number): HandMade[] {
  return Array.from({ length: count }, (_, index) => met(experiment, `${variant}${index}`, variant));
}

const order = (orderId: string, total: number, more: Record<string, unknown> = {}): Partial<HandMade> => ({
  type: 'OrderCreated',
  at: '11:00',
  orderId,
  total,
  ...more,
});

const ask = (name: string, parameters: Record<string, string | number> = {}): Promise<Row[]> =>
  report(connection, { name, ...PERIOD, parameters });

const rowsOf = (experiment: string, metric: string): Row[] =>
  measures.filter((row) => row.experiment === experiment && row.metric === metric);

const pick = (rows: readonly Row[], ...names: string[]): Json[][] => rows.map((row) => names.map((name) => row[name]!));

/** Twenty orders of 100, 101 … in each variant, and one of a million. */
function whale(): HandMade[] {
  const orders = ['control', 'b'].flatMap((variant, side) =>
    Array.from({ length: 20 }, (_, index) =>
      met('whale', `${variant}${index}`, variant, order(`w${side}-${index}`, 100 + 20 * side + index)),
    ),
  );
  return [...orders, met('whale', 'b0', 'b', order('whale', 1_000_000))];
}

beforeAll(async () => {
  ({ connection, close } = await openDuckDb());
  await storeDay(connection, [
    met('mixed', 'x', 'control'),
    met('mixed', 'x', 'b', { at: '10:05' }),
    met('mixed', 'y', 'b'),
    met('mixed', 'z', 'control'),
    met('mixed', 'robot', 'b', { server: { userAgent: 'Mozilla/5.0 (compatible; Googlebot/2.1)' } }),
    met('orders', 'x', 'control', { at: '12:00' }),
    met('orders', 'x', 'control', { ...order('early', 50), experiments: undefined }),
    met('orders', 'y', 'b'),
    met('orders', 'y', 'b', order('o1', 100)),
    met('orders', 'y', 'b', order('o1', 100)),
    met('orders', 'y', 'b', order('o2', 60, { test: true })),
    met('currencies', 'x', 'control', order('c1', 100)),
    met('currencies', 'y', 'b', order('c2', 30, { currency: 'EUR' })),
    ...whale(),
    ...visitors('few', 'control', 9),
    ...visitors('few', 'b', 12),
    met('few', 'b0', 'b', order('f1', 100)),
    ...visitors('split', 'control', 60),
    ...visitors('split', 'b', 20),
    ...visitors('names', 'a', 1),
    ...visitors('names', 'Original', 1),
    ...visitors('colours', 'blue', 1),
    ...visitors('colours', 'red', 1),
  ]);
  await createViews(connection);
  measures = await ask('experiment_metrics', { cap_percent: 95 });
  experiments = await ask('experiments');
});
afterAll(() => close());

test('who saw two variants is counted and left out, and so is a bot', () => {
  const own = experiments.filter(({ experiment }) => experiment === 'mixed');
  expect(pick(own, 'variant', 'visitors', 'mixed_visitors')).toEqual([
    ['control', 1, 1],
    ['b', 1, 1],
  ]);
  expect(pick(rowsOf('mixed', 'conversion'), 'variant', 'base')).toEqual([
    ['control', 1],
    ['b', 1],
  ]);
});

test('orders count from the first event with the variant on, once, and tests not at all', () => {
  expect(pick(rowsOf('orders', 'conversion'), 'variant', 'amount', 'base', 'value')).toEqual([
    ['control', 0, 1, 0],
    ['b', 1, 1, 1],
  ]);
  expect(pick(rowsOf('orders', 'average_order'), 'variant', 'currency', 'base', 'value')).toEqual([
    ['control', 'DKK', 0, null],
    ['b', 'DKK', 1, 100],
  ]);
});

test('currencies are apart, and a variant without an order in one earned 0 of it', () => {
  expect(pick(rowsOf('currencies', 'revenue_per_visitor'), 'variant', 'currency', 'value')).toEqual([
    ['control', 'DKK', 100],
    ['b', 'DKK', 0],
    ['control', 'EUR', 0],
    ['b', 'EUR', 30],
  ]);
});

test('one very large order moves the value, and not the comparison', async () => {
  const [control, b] = rowsOf('whale', 'revenue_per_visitor');
  expect(control).toMatchObject({ value: 109.5, cap: 138, compared_value: 109.5, difference: null, certain: null });
  // The order of a million and the one of 139 are capped.
  expect(b).toMatchObject({ value: (2_590 + 1_000_000) / 20, compared_value: (2_590 - 120 - 139 + 2 * 138) / 20 });
  const uncapped = (await ask('experiment_metrics', { experiment: 'whale', cap_percent: 100 })).find(
    ({ metric, variant }) => metric === 'revenue_per_visitor' && variant === 'b',
  );
  expect(uncapped!.compared_value).toBe(uncapped!.value);
  expect([b!.certain, uncapped!.certain]).toEqual([true, false]);
});

test('fewer than ten visitors on a side have no interval of a mean, and always one of a conversion', () => {
  expect(rowsOf('few', 'revenue_per_visitor')[1]).toMatchObject({ difference_low: null, certain: null });
  const [, b] = rowsOf('few', 'conversion');
  expect(b!.difference_low).toBeLessThan(0);
  expect(b!.difference_high).toBeGreaterThan(b!.difference as number);
});

test('what the shop does not send is unknown', () => {
  expect(pick(rowsOf('split', 'search_click_rate'), 'variant', 'visitors', 'value', 'difference')).toEqual([
    ['control', null, null, null],
    ['b', null, null, null],
  ]);
  expect(rowsOf('split', 'average_order')).toEqual([]);
});

test('a split that was not planned is told', async () => {
  const shares = async (planned?: string): Promise<Json[]> => {
    const rows = await ask('experiments', { experiment: 'split', ...(planned === undefined ? {} : { planned }) });
    return [...rows.map((row) => row.planned_share!), rows[0]!.sample_ratio_off!];
  };
  expect(await shares()).toEqual([0.5, 0.5, true]);
  expect(await shares('control:75, b:25')).toEqual([0.75, 0.25, false]);
  // A variant that nobody saw: its visitors are missing.
  expect(await shares('control:60,b:20,c:20')).toEqual([0.6, 0.2, true]);
  expect(await shares('control:75')).toEqual([null, null, null]);
  expect(await shares('three quarters')).toEqual([null, null, null]);
});

test('the control is the one asked for, else the one with such a name, else the first', async () => {
  const control = async (experiment: string, more = {}): Promise<unknown> =>
    (await ask('experiments', { experiment, ...more }))[0]!.control;
  expect(await control('names')).toBe('Original');
  expect(await control('names', { control: 'a' })).toBe('a');
  expect(await control('colours')).toBe('blue');
  expect(await control('colours', { control: 'unseen' })).toBeNull();
  const rows = await ask('experiment_metrics', { experiment: 'whale', control: 'unseen' });
  expect(rows.every(({ difference, certain }) => difference === null && certain === null)).toBe(true);
});

import type { DuckDBConnection } from '@duckdb/node-api';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createRandom } from '../../../scripts/shop/random.ts';
import { openDuckDb } from './eventTable.ts';
import { createMacros, query } from './rows.ts';

let connection: DuckDBConnection;
let close: () => void;

beforeAll(async () => {
  ({ connection, close } = await openDuckDb());
  await createMacros(connection);
});
afterAll(() => close());

async function value(expression: string): Promise<number | null> {
  const [row] = await query(connection, `SELECT (${expression})::DOUBLE AS value`);
  return row!.value as number | null;
}

describe('published values', () => {
  // Newcombe 1998, table II, method 10.
  test.each([
    [56, 70, 48, 80, 0.0524, 0.3339],
    [9, 10, 3, 10, 0.1705, 0.809],
    [6, 7, 2, 7, 0.0582, 0.8062],
    [5, 56, 0, 29, -0.0381, 0.1926],
    [0, 10, 0, 10, -0.2775, 0.2775],
    [10, 10, 0, 20, 0.6791, 1],
    [10, 10, 0, 10, 0.6075, 1],
  ])('Newcombe: %i of %i less %i of %i', async (...row) => {
    const [a, n, b, m, low, high] = row as [number, number, number, number, number, number];
    expect(await value(`newcombe_low(${a}, ${n}, ${b}, ${m})`)).toBeCloseTo(low, 4);
    expect(await value(`newcombe_high(${a}, ${n}, ${b}, ${m})`)).toBeCloseTo(high, 4);
  });

  // NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.5.3 (AUTO83B.DAT): T = -12.94627, 136.8750 degrees of freedom.
  test('Welch: miles per gallon of American and Japanese cars', async () => {
    const [own, base] = [6.4147 ** 2 / 249, 6.10771 ** 2 / 79];
    expect(await value(`welch_degrees(${own}, 249, ${base}, 79)`)).toBeCloseTo(136.875, 3);
    const t = (20.14458 - 30.48101) / Math.sqrt(own + base);
    expect(t).toBeCloseTo(-12.94627, 4);
  });

  // NIST/SEMATECH e-Handbook, 1.3.6.7.2: critical values of Student's t.
  test.each([
    [9, 2.262],
    [12, 2.179],
    [30, 2.042],
    [60, 2.0],
    [100, 1.984],
  ])('Student’s t with %i degrees of freedom', async (degrees, t) => {
    expect(await value(`student_t(${degrees})`)).toBeCloseTo(t, 3);
  });

  // NIST/SEMATECH e-Handbook, 1.3.6.7.4: critical values of chi-square.
  test.each([
    [1, 10.828, 0.001],
    [2, 13.816, 0.001],
    [3, 7.815, 0.05],
    [10, 18.307, 0.05],
    [49, 85.351, 0.001],
  ])('chi-square with %i degrees of freedom', async (degrees, statistic, p) => {
    expect(await value(`chi_square_p(${statistic}, ${degrees})`)).toBeCloseTo(p, 4);
  });

  // Cohen 1988, table 2.4.1: d = 0.5 with 80 % power needs 64 in each group, 63 where the variance is known.
  test('an effect of half a standard deviation is seen with 63 on each side', async () => {
    expect(await value('smallest_effect(1 / 63 + 1 / 63)')).toBeCloseTo(0.5, 2);
  });

  test.each([
    'newcombe_low(0, 0, 1, 2)',
    'newcombe_high(1, 2, 0, 0)',
    'welch_margin(0.0, 50, 0.0, 50)',
    'welch_margin(1.0, 9, 1.0, 50)',
    'ratio_variance(0.0, 5, 1)',
    'ratio_variance(1.0, 0, 5)',
    'smallest_effect(0.0)',
    'chi_square_p(3.0, 0)',
  ])('%s is unknown', async (expression) => {
    expect(await value(expression)).toBeNull();
  });
});

describe('simulated a few thousand times', () => {
  const random = createRandom(20_261_130);

  /** The share of runs in which a condition over the columns holds. */
  async function shareOf(condition: string, runs: readonly Record<string, number>[]): Promise<number> {
    const names = Object.keys(runs[0]!);
    const lists = names.map((name) => `unnest([${runs.map((run) => run[name]).join(', ')}]) AS ${name}`);
    return (await value(`SELECT avg((${condition})::INTEGER) FROM (SELECT ${lists.join(', ')})`))!;
  }
  const successes = (trials: number, chance: number): number => {
    let count = 0;
    for (let trial = 0; trial < trials; trial++) if (random.next() < chance) count++;
    return count;
  };
  const times = <T>(count: number, make: () => T): T[] => Array.from({ length: count }, make);

  test('the interval of a conversion holds the truth 19 times of 20', async () => {
    const runs = times(3_000, () => ({ a: successes(300, 0.05), b: successes(400, 0.04) }));
    const covered = await shareOf('0.01 BETWEEN newcombe_low(a, 300, b, 400) AND newcombe_high(a, 300, b, 400)', runs);
    expect(covered).toBeGreaterThan(0.94);
    expect(covered).toBeLessThan(0.97);
  });

  /** Mean and its variance of capped revenue: one of five visitors spends 100 in the mean, exponentially. */
  const spending = (visitors: number, more = 0): { mean: number; variance: number } => {
    let [total, squares] = [0, 0];
    for (let visitor = 0; visitor < visitors; visitor++) {
      const spent = more + (random.next() < 0.2 ? Math.min(300, random.exponential(100)) : 0);
      total += spent;
      squares += spent * spent;
    }
    const mean = total / visitors;
    return { mean, variance: (squares - visitors * mean * mean) / (visitors - 1) / visitors };
  };
  const compared = (visitors: number, base: number, more = 0): Record<string, number> => {
    const [own, other] = [spending(visitors, more), spending(base)];
    return { gap: own.mean - other.mean, v: own.variance, w: other.variance };
  };

  test('the interval of a revenue per visitor holds the truth 19 times of 20', async () => {
    const runs = times(2_000, () => compared(150, 300));
    const covered = await shareOf('abs(gap) <= welch_margin(v, 150, w, 300)', runs);
    expect(covered).toBeGreaterThan(0.935);
    expect(covered).toBeLessThan(0.965);
  });

  test('the smallest effect is seen 4 times of 5', async () => {
    const [m1, m2] = [100 * (1 - Math.exp(-3)), 2 * 100 ** 2 * (1 - 4 * Math.exp(-3))];
    const spread = 0.2 * m2 - (0.2 * m1) ** 2;
    const effect = (await value(`smallest_effect(${spread} / 400 + ${spread} / 400)`))!;
    const seen = await shareOf(
      'gap > welch_margin(v, 400, w, 400)',
      times(1_500, () => compared(400, 400, effect)),
    );
    expect(seen).toBeGreaterThan(0.77);
    expect(seen).toBeLessThan(0.83);
  });

  test('the interval of a click rate knows that the searches of a visitor are alike', async () => {
    const side = (visitors: number): Record<string, number> => {
      const all = times(visitors, () => {
        const searches = random.between(1, 8);
        return { searches, clicked: successes(searches, random.chance(0.5) ? 0.1 : 0.7) };
      });
      const searches = all.reduce((total, one) => total + one.searches, 0);
      const clicked = all.reduce((total, one) => total + one.clicked, 0);
      const squares = all.reduce((total, one) => total + (one.clicked - (clicked / searches) * one.searches) ** 2, 0);
      return { searches, clicked, squares };
    };
    const runs = times(1_000, () => {
      const [own, base] = [side(120), side(120)];
      return {
        x: own.clicked!,
        n: own.searches!,
        s: own.squares!,
        y: base.clicked!,
        m: base.searches!,
        t: base.squares!,
      };
    });
    const margin = 'welch_margin(ratio_variance(s, n, 120), 120, ratio_variance(t, m, 120), 120)';
    const covered = await shareOf(`abs(x / n - y / m) <= ${margin}`, runs);
    expect(covered).toBeGreaterThan(0.93);
    expect(covered).toBeLessThan(0.97);
    // As if each search were a visitor of its own, the interval is too narrow.
    expect(await shareOf('0 BETWEEN newcombe_low(x, n, y, m) AND newcombe_high(x, n, y, m)', runs)).toBeLessThan(0.85);
  });

  test('a fair split is seldom called unfair, and an unfair one is found', async () => {
    const p = 'chi_square_p(pow(a - 500, 2) / 500 + pow(1000 - a - 500, 2) / 500, 1)';
    const fair = times(3_000, () => ({ a: successes(1_000, 0.5) }));
    expect(Math.abs((await shareOf(`${p} < 0.05`, fair)) - 0.05)).toBeLessThan(0.015);
    expect(await shareOf(`${p} < 0.001`, fair)).toBeLessThan(0.004);
    const unfair = times(200, () => ({ a: successes(1_000, 0.6) }));
    expect(await shareOf(`${p} < 0.001`, unfair)).toBeGreaterThan(0.95);
  });
});

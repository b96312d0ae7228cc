import { afterAll, beforeAll, expect, test } from 'vitest';
import type { DuckDBConnection } from '@duckdb/node-api';
import { LakeError } from '../../../lake/errors.ts';
import { bindReport } from '../../../query/insight/reportRun.ts';
import { createEventTable, openDuckDb } from './eventTable.ts';
import { FROM, simulatedEvents, stored, TO } from './ledger.ts';
import { createMacros, report, type Row } from './rows.ts';

const PERIOD = { from: FROM, to: TO };
const ALL = { limit: 2_000_000_000 };
let connection: DuckDBConnection;
let close: () => void;
let phrase: string;

beforeAll(async () => {
  ({ connection, close } = await openDuckDb());
  await createEventTable(connection, stored(simulatedEvents(7)));
  await createMacros(connection);
  const sold = await report(connection, { name: 'search_revenue', ...PERIOD });
  phrase = sold[0]!.phrase as string;
});
afterAll(() => close());

/** The phrase as another shopper would write it. */
const asked = (): string => `  ${phrase.toUpperCase()} `;

async function ask(name: string, parameters: Record<string, string | number>): Promise<Row[]> {
  return report(connection, { name, ...PERIOD, parameters });
}

test.each([
  ['search_revenue', {}],
  ['search_refinements', { min_refinements: 1 }],
  ['phrase_products', { prior: 2 }],
  ['phrase_sales', {}],
])('%s of one phrase has its rows, and no others', async (name, parameters) => {
  const all = await ask(name, { ...ALL, ...parameters });
  const own = all.filter((row) => row.phrase === phrase);
  expect(own.length).toBeGreaterThan(0);
  expect(own.length).toBeLessThan(all.length);
  expect(await ask(name, { ...ALL, ...parameters, phrase: asked() })).toEqual(own);
});

test('the overview of one phrase is its row among the phrases, and its days add up to it', async () => {
  const [row] = (await ask('search_phrases', ALL)).filter((found) => found.phrase === phrase);
  const { phrase: _, average_results: __, ...measures } = row!;
  expect(await ask('search_overview', { phrase: asked() })).toEqual([measures]);
  const days = await ask('search_daily', { phrase: asked() });
  for (const name of ['searches', 'clicks', 'zero_results'])
    expect(days.reduce((sum, day) => sum + Number(day[name]), 0)).toBe(Number(measures[name]));
});

test('no phrase is SQL, and none is longer than any that is stored', async () => {
  expect(await ask('phrase_sales', { phrase: "x' OR 1=1 --" })).toEqual([]);
  const tooLong = { name: 'phrase_sales', ...PERIOD, parameters: { phrase: 'x'.repeat(4_001) } };
  expect(() => bindReport(tooLong)).toThrow(LakeError);
});

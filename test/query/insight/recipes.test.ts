import { readFileSync } from 'node:fs';
import type { DuckDBConnection } from '@duckdb/node-api';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createEventTable, openDuckDb } from './eventTable.ts';
import { simulatedEvents, stored } from './ledger.ts';
import { createViews, query } from './rows.ts';

const PAGE = readFileSync(new URL('../../../docs/recipes.md', import.meta.url), 'utf8');

/** Each block of SQL under the sentence before it. */
const RECIPES = [...PAGE.matchAll(/([^\n]+):\n\n```sql\n([^]*?)```/g)].map(([, title, sql]) => ({
  title: title!,
  sql: sql!,
}));

let connection: DuckDBConnection;
let close: () => void;

beforeAll(async () => {
  ({ connection, close } = await openDuckDb());
  const events = stored(simulatedEvents(7));
  const order = events.find(({ json }) => json.includes('"OrderCreated"'))!;
  const click = events.find(({ json }) => json.includes('"ProductClicked"'))!;
  const again = {
    ...order,
    json: order.json.replace(/"total":[\d.]+/, '"total":1'),
    receivedAt: '2026-10-30T00:00:00Z',
  };
  const withProperties = { ...click, json: click.json.replace('{', '{"properties":{"list":"sale"},') };
  await createEventTable(connection, [...events, again, withProperties]);
  await connection.run("INSERT INTO quarantine_all (received_at, code) VALUES ('2026-11-02T10:00:00Z', 'field_range')");
  await createViews(connection);
});
afterAll(() => close());

test('every block of SQL on the page is found', () => {
  expect(RECIPES).toHaveLength(PAGE.match(/```sql/g)!.length);
});

test.each(RECIPES)('$title', async ({ sql }) => {
  expect((await query(connection, sql)).length).toBeGreaterThan(0);
});

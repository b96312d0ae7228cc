import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openLocalStorage } from '../../../lake/storage/local.ts';
import type { Storage } from '../../../lake/storage/storage.ts';
import { simulatedEvents, stored } from '../insight/ledger.ts';
import { commitEvents, refresh } from '../marts/martLake.ts';
import { runSpor, type Finished } from '../../support/runScript.ts';

const RECIPES = await readFile(new URL('../../../docs/recipes.md', import.meta.url), 'utf8');

let dir: string;
let storage: Storage;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'spor-test-attach-'));
  storage = await openLocalStorage(join(dir, 'lake'));
  await commitEvents(storage, stored(simulatedEvents(5)).slice(0, 300));
  await refresh(storage);
});
afterAll(() => rm(dir, { recursive: true, force: true }));

function attach(...args: string[]): Promise<Finished> {
  return runSpor(['attach', ...args, '--tenant', 'demo-shop'], {
    env: { LAKE_URL: `file:${join(dir, 'lake')}` },
    cwd: dir,
  });
}

/** Runs statements on a database as somebody else's DuckDB would; the rows of the last one. */
async function ask(file: string, statements: readonly string[], access = 'READ_ONLY'): Promise<unknown[][]> {
  const instance = await DuckDBInstance.create(file, file === ':memory:' ? {} : { access_mode: access });
  const connection = await instance.connect();
  try {
    let rows: unknown[][] = [];
    for (const sql of statements) rows = (await connection.runAndReadAll(sql)).getRowsJson();
    return rows;
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

test('a database of views opens in any DuckDB: events, views, macros, marts, every recipe', async () => {
  const { code, stderr } = await attach('shop.duckdb');
  expect([code, stderr]).toEqual([0, '']);
  const file = join(dir, 'shop.duckdb');
  expect(await ask(file, ['select count(*) from events_all'])).toEqual([['300']]);
  expect(await ask(file, ["select normal_phrase('  A  b ')"])).toEqual([['a b']]);
  expect(Number((await ask(file, ['select count(*) from marts.phrase_products_daily']))[0]![0])).toBeGreaterThan(0);
  expect((await ask(file, ["select comment from duckdb_views() where view_name = 'orders'"]))[0]![0]).toContain(
    'one row per order that is live',
  );
  for (const [, sql] of RECIPES.matchAll(/```sql\n([^]*?)```/g)) await ask(file, ["SET TimeZone = 'UTC'", sql!]);
});

test('attached again, it shows what is new, and leaves what else is in it alone', async () => {
  const file = join(dir, 'shop.duckdb');
  await ask(file, ['create table mine as select 1 as x'], 'READ_WRITE');
  await commitEvents(storage, stored(simulatedEvents(6)).slice(0, 50));
  expect((await attach('shop.duckdb')).code).toBe(0);
  expect(await ask(file, ['select count(*) from events_all'])).toEqual([['350']]);
  expect(await ask(file, ['from mine'])).toEqual([[1]]);
});

test('a script creates the same, for some segments and days', async () => {
  const { code } = await attach('shop.sql', '--segment', 'web', '--to', '2026-10-31');
  expect(code).toBe(0);
  const script = (await readFile(join(dir, 'shop.sql'), 'utf8')).split(/;\n\n/).filter((text) => text.trim() !== '');
  expect(await ask(':memory:', [...script, 'select distinct segment from events_all'])).toEqual([['web']]);
  const wrong = await attach('shop.csv');
  expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining('must end in .duckdb')]);
});

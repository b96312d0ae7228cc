import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { deltaTable } from '../../../lake/delta/table.ts';
import { listMarts, martSpec, type Mart } from '../../../query/marts/mart.ts';
import { openLocalStorage } from '../../../lake/storage/local.ts';
import type { Storage } from '../../../lake/storage/storage.ts';
import type { StoredEvent } from '../insight/eventTable.ts';
import { REGISTRY } from '../../support/lakeFixture.ts';
import { commitEvents, martRows, refresh, TENANT } from './martLake.ts';

let dir: string;
let storage: Storage;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'spor-test-widened-'));
  storage = await openLocalStorage(join(dir, 'lake'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

/** Orders of one day, product and visitor, each as large as the schema lets it be. */
function orders(from: number, count: number): StoredEvent[] {
  const lines = Array<unknown>(500).fill({ productId: 'p', quantity: 1e9, unitPrice: 1e11 });
  return Array.from({ length: count }, (_, index) => {
    const orderId = `o-${from + index}`;
    const event = {
      eventId: `00000000-0000-7000-8000-${String(from + index).padStart(12, '0')}`,
      type: 'OrderCreated',
      timestamp: '2026-11-02T10:00:00Z',
      sessionId: 's',
      anonymousId: 'a',
      consent: { personalization: true },
      orderId,
      currency: 'DKK',
      total: 1e11,
      lines,
    };
    return { json: JSON.stringify(event), segmentId: 'web' };
  });
}

function narrowed(mart: Mart): Mart {
  const columns = mart.columns.map((column) =>
    column.type === 'decimal38' ? { ...column, type: 'decimal' as const } : column,
  );
  return { ...mart, columns };
}

async function schemaOf(mart: Mart): Promise<string> {
  return (await deltaTable(storage, martSpec(mart, TENANT)).snapshot()).metaData!.schemaString;
}

test('a mart of an older version, whose sums were narrower, is made anew with sums that hold the largest orders', async () => {
  const wide = listMarts(REGISTRY).filter(({ columns }) => columns.some(({ type }) => type === 'decimal38'));
  expect(wide.map(({ name }) => name)).toEqual([
    'products_daily',
    'revenue_daily',
    'interactions_daily',
    'interactions',
  ]);
  for (const mart of wide) {
    const table = deltaTable(storage, martSpec(narrowed(mart), TENANT));
    await table.append({ files: [], txn: { appId: 'older', version: 1, expected: undefined }, info: {} });
    expect(await schemaOf(mart)).not.toContain('decimal(38,4)');
  }
  const count = 210;
  await commitEvents(storage, orders(0, count));
  expect(new Set((await refresh(storage)).map(({ outcome }) => outcome))).toEqual(new Set(['refreshed']));
  for (const mart of wide) expect(await schemaOf(mart)).toContain('decimal(38,4)');

  const { revenue_daily: revenue, products_daily: products, interactions } = await martRows(storage);
  const quantity = `${BigInt(count) * 500n * 1_000_000_000n}.0000`;
  expect(revenue).toMatchObject([
    {
      orders: String(count),
      revenue: `${BigInt(count) * 100_000_000_000n}.0000`,
      items: quantity,
      goods_total: `${BigInt(count) * 500n * 10n ** 20n}.0000`,
    },
  ]);
  expect(products).toMatchObject([{ product_id: 'p', quantity_ordered: quantity }]);
  expect(interactions).toMatchObject([{ product_id: 'p', quantity_ordered: quantity }]);

  // Later refreshes go on from there.
  await commitEvents(storage, orders(count, 1));
  await refresh(storage);
  expect((await martRows(storage)).revenue_daily).toMatchObject([{ orders: String(count + 1) }]);
}, 120_000);

test('a commit that leaves files of the table in place does not change the types of its columns', async () => {
  const mart = listMarts(REGISTRY).find(({ name }) => name === 'revenue_daily')!;
  const table = deltaTable(storage, martSpec(narrowed(mart), TENANT));
  const commit = { remove: [], add: [], dataChange: true, unusedSinceMs: Date.now(), overwriteSchema: true, info: {} };
  const txn = { appId: 'other', version: 1, expected: undefined };
  await expect(table.replace({ ...commit, txn })).rejects.toMatchObject({ code: 'table_schema_conflict' });
});

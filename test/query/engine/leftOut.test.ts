import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { setSharedIds } from '../../../lake/layout/sharedIds.ts';
import { createTableCache } from '../../../lake/layout/tableCache.ts';
import { lakeFolderFiles } from '../../../lake/files/localFiles.ts';
import { openQueries, type Queries } from '../../../query/engine/query.ts';
import { bindReport } from '../../../query/insight/reportRun.ts';
import { openLocalStorage } from '../../../lake/storage/local.ts';
import type { Storage } from '../../../lake/storage/storage.ts';
import { commitRows, REGISTRY } from '../../support/lakeFixture.ts';

const dir = await mkdtemp(join(tmpdir(), 'spor-test-left-out-'));
let storage: Storage;
let queries: Queries;

beforeAll(async () => {
  storage = await openLocalStorage(join(dir, 'lake'));
  queries = await openQueries({
    storage,
    tables: createTableCache(storage, REGISTRY),
    registry: REGISTRY,
    localFiles: lakeFolderFiles(storage),
    limits: { memoryMb: 256, threads: 1, timeoutMs: 20_000, maxRows: 1_000, maxBytes: 1_000_000 },
  });
});
afterAll(async () => {
  await queries.close();
  await rm(dir, { recursive: true, force: true });
});

const search = {
  type: 'Search',
  event_id: 'e-1',
  event_time: '2026-11-23T10:00:00Z',
  phrase: 'shoes',
  session_id: 'v-1',
};
const order = {
  type: 'OrderCreated',
  event_id: 'e-2',
  event_time: '2026-11-23T10:05:00Z',
  order_id: 'o-1',
  currency: 'DKK',
  session_id: 'v-1',
  total: '100',
  lines: [{ product_id: 'SKU-1', quantity: '2', unit_price: '50' }],
};

describe('rows of bots', () => {
  const bot = { user_agent: 'Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)' };
  const from = { tenantId: 'crawled', segmentIds: [] };

  test('are left out, and their number is told where a relation leaves them out', async () => {
    const rows = [search, { ...search, ...bot, event_id: 'b-1' }, { ...order, ...bot, key_kind: 'server' }];
    await commitRows(storage, 'crawled', rows);
    const count = async (relation: string): Promise<unknown[]> => {
      const {
        rows: [[found] = []],
        botsLeftOut,
      } = await queries.run({ ...from, sql: `select count(*) from ${relation}` });
      return [Number(found), botsLeftOut];
    };
    expect(await count('events')).toEqual([2, 1]);
    expect(await count('orders')).toEqual([1, 1]);
    expect(await count('events_with_bots')).toEqual([3, undefined]);
    expect(await count('events_all')).toEqual([3, undefined]);
  });

  test('are told of a report for its period and segment, in every format', async () => {
    const asked = async (fromDay: string, format: 'json' | 'parquet'): Promise<unknown> => {
      const bound = bindReport({ name: 'search_overview', from: fromDay, to: '2026-11-30' }, REGISTRY);
      const answer = await queries.answer({ ...from, sql: bound.sql, report: bound, format });
      await answer.remove();
      return answer.botsLeftOut;
    };
    for (const format of ['json', 'parquet'] as const) {
      expect(await asked('2026-11-23', format)).toBe(1);
      expect(await asked('2026-11-25', format)).toBeUndefined();
    }
  });
});

test('ids are of their segment until the tenant says that its segments share them, also for a report asked again', async () => {
  const from = { tenantId: 'two', segmentIds: [] };
  const bound = bindReport({ name: 'revenue', from: '2026-11-23', to: '2026-11-24' }, REGISTRY);
  const orders = async (): Promise<unknown[]> => {
    const { rows } = await queries.run({ ...from, sql: 'select count(*) from orders' });
    const answer = await queries.run({ ...from, sql: bound.sql, report: bound });
    return [Number(rows[0]![0]), Number(answer.rows[0]![answer.columns.findIndex(({ name }) => name === 'orders')])];
  };
  for (const segment of ['dk', 'se']) {
    const row = { ...order, event_id: `e-${segment}`, segment_id: segment, received_at: order.event_time };
    await commitRows(storage, 'two', [row], { segment, date: '2026-11-23' });
  }
  const events = createTableCache(storage, REGISTRY)('events', 'two');
  expect(await orders()).toEqual([2, 2]);
  await setSharedIds(events, true);
  expect(await orders()).toEqual([1, 1]);
  await setSharedIds(events, false);
  expect(await orders()).toEqual([2, 2]);
});

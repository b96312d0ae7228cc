import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { createTableCache } from '../../../lake/layout/tableCache.ts';
import { lakeFolderFiles } from '../../../lake/files/localFiles.ts';
import { openLocalStorage } from '../../../lake/storage/local.ts';
import { openQueries } from '../../../query/engine/query.ts';
import { createRecentAnswers, type RecentAnswer } from '../../../query/engine/recentAnswers.ts';
import { reportQuery } from '../../../query/engine/reportQuery.ts';
import { inProcess, type Executor } from '../../../query/sandbox/executor.ts';
import { commitRows, REGISTRY } from '../../support/lakeFixture.ts';

const dir = await mkdtemp(join(tmpdir(), 'spor-test-recent-'));
afterAll(() => rm(dir, { recursive: true, force: true }));

const answer = (bytes: number): RecentAnswer => ({
  facts: { columns: [], rowCount: 0, truncated: false, bytes },
  content: new Uint8Array(bytes),
});

test('answers leave when they are old, and the least recently used first when all are too large', () => {
  let now = 0;
  const recent = createRecentAnswers(() => now, { totalBytes: 10, answerBytes: 6, ageMs: 1_000 });
  expect([recent.keeps(6), recent.keeps(7)]).toEqual([true, false]);
  recent.keep('a', answer(4));
  recent.keep('b', answer(4));
  expect(recent.find('a')?.content.byteLength).toBe(4);
  recent.keep('c', answer(4));
  expect([recent.find('a'), recent.find('b'), recent.find('c')].map((found) => found !== undefined)).toEqual([
    true,
    false,
    true,
  ]);
  now = 1_000;
  expect(recent.find('a')).toBeUndefined();
});

test('a report runs once for the same rows and values, and anew for any others', async () => {
  const storage = await openLocalStorage(join(dir, 'lake'));
  const executor = inProcess();
  let runs = 0;
  const counted: Executor = { ...executor, run: (job) => (runs++, executor.run(job)) };
  const queries = await openQueries({
    storage,
    tables: createTableCache(storage, REGISTRY),
    registry: REGISTRY,
    localFiles: lakeFolderFiles(storage),
    limits: { memoryMb: 256, threads: 1, timeoutMs: 60_000, maxRows: 1_000, maxBytes: 1_000_000 },
    executor: counted,
  });
  const searched = (phrase: string, at: string) => ({
    type: 'Search',
    event_id: `${phrase}-${at}`,
    event_time: at,
    phrase,
    results_count: 1,
    session_id: 'v-1',
  });
  await commitRows(storage, 'shop', [searched('boots', '2026-11-23T10:00:00Z')]);
  await commitRows(storage, 'other', [searched('their secret', '2026-11-23T10:00:00Z')]);
  const ask = async (tenantId = 'shop', segmentIds: string[] = [], to = '2026-11-24'): Promise<unknown[]> => {
    const request = { name: 'search_phrases', from: '2026-11-23', to };
    const { rows, columns } = await queries.run(reportQuery(request, { tenantId, segmentIds }, REGISTRY));
    return rows.map((row) => row[columns.findIndex(({ name }) => name === 'phrase')]);
  };
  expect(await ask()).toEqual(['boots']);
  expect([await ask(), runs]).toEqual([['boots'], 1]);
  expect([await ask('other'), runs]).toEqual([['their secret'], 2]);
  expect([await ask('shop', ['app']), runs]).toEqual([[], 3]);
  expect([await ask('shop', [], '2026-11-25'), runs]).toEqual([['boots'], 4]);
  await commitRows(storage, 'shop', [searched('shoes', '2026-11-23T11:00:00Z')]);
  expect([await ask(), runs]).toEqual([['boots', 'shoes'], 5]);
  expect([await ask(), runs]).toEqual([['boots', 'shoes'], 5]);
  await queries.close();
});

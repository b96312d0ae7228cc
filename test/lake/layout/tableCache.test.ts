import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { createTableCache } from '../../../lake/layout/tableCache.ts';
import { openLocalStorage } from '../../../lake/storage/local.ts';
import { REGISTRY } from '../../support/lakeFixture.ts';

const dir = await mkdtemp(join(tmpdir(), 'spor-test-tables-'));
const storage = await openLocalStorage(dir);
afterAll(() => rm(dir, { recursive: true, force: true }));

test('a table is the same one for all who ask, while there are no more than the cache holds', () => {
  const tables = createTableCache(storage, REGISTRY);
  const asked = Array.from({ length: 1_024 }, (_, index) => tables('events', `tenant-${index}`));
  expect(new Set(asked).size).toBe(1_024);
  expect(tables('quarantine', 'tenant-0')).not.toBe(asked[0]);
  const again = asked.map((_, index) => tables('events', `tenant-${index}`));
  expect(again.filter((table, index) => table !== asked[index]).length).toBeGreaterThan(0);
});

test('a few tables too many, asked for in turn, cost a few openings a round', () => {
  const most = 200;
  const tables = createTableCache(storage, REGISTRY, { most });
  const round = (): object[] => Array.from({ length: most + 10 }, (_, index) => tables('events', `tenant-${index}`));
  let before = round();
  let opened = 0;
  for (let rounds = 0; rounds < 10; rounds++) {
    const now = round();
    opened += now.filter((table, index) => table !== before[index]).length;
    before = now;
  }
  expect(opened).toBeGreaterThan(0);
  expect(opened / 10).toBeLessThan(most / 2); // the least recently used: every table in every round
});

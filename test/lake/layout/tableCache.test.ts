import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createTableCache } from '../../../lake/layout/tableCache.ts';
import { openLocalStorage } from '../../../lake/storage/local.ts';
import { REGISTRY } from '../../support/lakeFixture.ts';

const KEPT = 1_024;

test('a table is the same one for all who ask, until a thousand others were asked for since', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'spor-test-tables-'));
  const tables = createTableCache(await openLocalStorage(dir), REGISTRY);
  const table = tables('events', 'shop');
  const other = tables('quarantine', 'shop');
  expect(other).not.toBe(table);
  for (let index = 2; index < KEPT; index++) tables('events', `tenant-${index}`);
  expect(tables('events', 'shop')).toBe(table);
  tables('events', 'one-more');
  expect(tables('events', 'shop')).toBe(table);
  expect(tables('quarantine', 'shop')).not.toBe(other);
  await rm(dir, { recursive: true, force: true });
});

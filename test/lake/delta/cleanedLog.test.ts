import { mkdtemp, readdir, rm, utimes } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import type { NewFile } from '../../../lake/delta/commits.ts';
import { duckdbCheckpoints } from '../../../lake/delta/checkpointParquet.ts';
import { deltaTable, type Table, type TableSpec } from '../../../lake/delta/table.ts';
import { cleanLog } from '../../../lake/maintenance/logCleanup.ts';
import { openLocalStorage } from '../../../lake/storage/local.ts';
import type { Storage } from '../../../lake/storage/storage.ts';
import { tableSpec } from '../../../lake/layout/tables.ts';
import { DAY_MS, HOUR_MS } from '../../../runtime/units.ts';
import { REGISTRY } from '../maintenance/fixture.ts';

const SPEC: TableSpec = tableSpec('events', 'shop', REGISTRY);
const CHECKPOINTS = duckdbCheckpoints();
let dir: string;

afterEach(async () => {
  vi.useRealTimers();
  await rm(dir, { recursive: true, force: true });
});

async function openLake(): Promise<Storage> {
  dir = await mkdtemp(join(tmpdir(), 'spor-test-cleaned-'));
  return openLocalStorage(dir);
}

async function add(table: Table, from: number, to: number): Promise<void> {
  for (let at = from; at < to; at++) {
    const expected = (await table.snapshot()).txns.get('app');
    await table.append({ files: [file(`f${at}`)], txn: { appId: 'app', version: at, expected }, info: {} });
  }
}

function file(name: string): NewFile {
  const partitionValues = { segment: 'web', date: '2026-11-23' };
  const stats = { numRecords: 1, minValues: {}, maxValues: {}, nullCount: {} };
  return { path: `segment=web/date=2026-11-23/${name}.parquet`, size: 1, rows: 1, partitionValues, stats };
}

const logNames = async (): Promise<string[]> => (await readdir(join(dir, SPEC.root, '_delta_log'))).sort();

/** Gives every file of the log an age by the store's clock. */
async function age(hours: number): Promise<void> {
  const when = new Date(Date.now() - hours * HOUR_MS);
  for (const name of await logNames()) await utimes(join(dir, SPEC.root, '_delta_log', name), when, when);
}

const clean = (storage: Storage, keepEntries?: number): ReturnType<typeof cleanLog> =>
  cleanLog(storage, SPEC.root, {
    retentionMs: 7 * DAY_MS,
    checkpoints: CHECKPOINTS,
    ...(keepEntries === undefined ? {} : { keepEntries }),
  });

test.each([8, 3_650, -3_650])(
  'a host %d days off deletes no log entry, and says which clock says what',
  async (days) => {
    const storage = await openLake();
    const table = deltaTable(storage, SPEC);
    await add(table, 1, 130);
    await table.checkpoint();
    await add(table, 130, 132);
    const before = await logNames();
    const real = Date.now();
    vi.useFakeTimers({ toFake: ['Date'], now: real + days * DAY_MS });
    const error = (await clean(storage).catch((thrown: unknown) => thrown)) as { code?: string; message: string };
    vi.useRealTimers();
    expect(error).toMatchObject({ code: 'clocks_differ' });
    expect(error.message).toContain(`host ${new Date(real + days * DAY_MS).toISOString().slice(0, 13)}`);
    expect(error.message).toContain(`store ${new Date(real).toISOString().slice(0, 13)}`);
    expect(await logNames()).toEqual(before);
  },
);

test('the newest entries stay whatever their age', async () => {
  const storage = await openLake();
  const table = deltaTable(storage, SPEC);
  await add(table, 1, 110);
  await table.checkpoint();
  await add(table, 110, 131);
  await table.checkpoint();
  await age(24 * 365);
  // 130 entries: the oldest 30 may go, and no checkpoint is among them.
  expect(await clean(storage)).toMatchObject({ deletedFiles: 0 });
  await add(table, 131, 231);
  await age(24 * 365);
  expect(await clean(storage)).toMatchObject({ startsAt: 129 });
  expect((await logNames()).filter((name) => name.endsWith('.json'))).toHaveLength(101);
});

test('a commit below the first checkpoint is made again where readers see it, exactly once', async () => {
  const storage = await openLake();
  const other = deltaTable(storage, SPEC);
  await add(other, 1, 4);
  const behind = deltaTable(storage, SPEC);
  await behind.snapshot();
  const stale = deltaTable(storage, SPEC);
  await stale.snapshot();
  await add(other, 4, 20);
  await other.checkpoint();
  await age(24 * 30);
  expect(await clean(storage, 0)).toMatchObject({ startsAt: 18 });
  // Versions 3 to 17 are free again. A writer that has just read version 2 commits without another read.
  const txn = { appId: 'behind', version: 1, expected: undefined };
  expect(await behind.append({ files: [file('late')], txn, info: {} })).toEqual({ version: 19 });
  // A commit without files, which is known by its position alone.
  const counts = { appId: 'counts', version: 7, expected: undefined };
  expect(await stale.append({ files: [], txn: counts, info: {} })).toEqual({ version: 20 });
  const { files, txns } = await deltaTable(storage, SPEC).snapshot();
  expect(files.size).toBe(20);
  expect(files.has(file('late').path)).toBe(true);
  expect([txns.get('behind'), txns.get('counts')]).toEqual([1, 7]);
  // Nothing stays below the checkpoint, where a reader that is behind would take it for the continuation.
  expect((await logNames()).filter((name) => name.endsWith('.json')).map((name) => Number(name.slice(0, 20)))).toEqual([
    18, 19, 20,
  ]);
});

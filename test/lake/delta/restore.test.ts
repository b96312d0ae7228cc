import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import type { NewFile } from '../../../lake/delta/commits.ts';
import { ERASURES_ID } from '../../../lake/delta/guards.ts';
import { entryPath } from '../../../lake/delta/log.ts';
import { restoreTable } from '../../../lake/delta/restore.ts';
import { deltaTable, type Table, type TableSpec } from '../../../lake/delta/table.ts';
import { openLocalStorage } from '../../../lake/storage/local.ts';
import type { Storage } from '../../../lake/storage/storage.ts';

const dir = await mkdtemp(join(tmpdir(), 'spor-test-restore-'));
afterAll(() => rm(dir, { recursive: true, force: true }));

const SPEC: TableSpec = {
  root: 'events/tenant=t',
  columns: [{ name: 'event_id', type: 'string' }],
  partitionColumns: ['segment', 'date'],
};
const APP = 'EVENTS_0@x';
let lakes = 0;

const pathOf = (name: string): string => `segment=web/date=2026-11-23/${name}.parquet`;

async function newLake(): Promise<{ storage: Storage; table: Table }> {
  const storage = await openLocalStorage(join(dir, `lake-${lakes++}`));
  return { storage, table: deltaTable(storage, SPEC) };
}

async function upload(storage: Storage, name: string): Promise<NewFile> {
  const local = join(dir, `${lakes}-${name}`);
  await writeFile(local, name);
  await storage.upload(`${SPEC.root}/${pathOf(name)}`, local);
  const stats = { numRecords: 1, minValues: {}, maxValues: {}, nullCount: {} };
  const partitionValues = { segment: 'web', date: '2026-11-23' };
  return { path: pathOf(name), size: name.length, rows: 1, partitionValues, stats };
}

/** A flush of Spor: the file `s<version>`. */
async function append({ storage, table }: { storage: Storage; table: Table }, version: number): Promise<void> {
  const expected = version === 1 ? undefined : version - 1;
  await table.append({
    files: [await upload(storage, `s${version}`)],
    txn: { appId: APP, version, expected },
    info: {},
  });
}

/** A commit of another engine, by its actions. */
async function foreign(
  { storage, table }: { storage: Storage; table: Table },
  operation: string,
  { add = [], remove = [], more = [] }: { add?: string[]; remove?: string[]; more?: object[] },
): Promise<void> {
  const { version } = await table.snapshot();
  const adds = await Promise.all(add.map((name) => upload(storage, name)));
  const lines = [
    { commitInfo: { timestamp: 5, operation, engineInfo: 'delta-rs:1.6.6' } },
    ...more,
    ...remove.map((name) => ({ remove: { path: pathOf(name), deletionTimestamp: Date.now(), dataChange: true } })),
    ...adds.map(({ path, size, partitionValues }) => ({
      add: {
        path,
        size,
        modificationTime: 5,
        dataChange: true,
        partitionValues: { tenant: 't', ...partitionValues },
        stats: '{"numRecords":1}',
      },
    })),
  ];
  const text = lines.map((line) => `${JSON.stringify(line)}\n`).join('');
  expect(await storage.putIfAbsent(entryPath(SPEC.root, version + 1), Buffer.from(text))).toBe(true);
}

async function names(table: Table): Promise<string[]> {
  return [...(await table.snapshot()).files.keys()]
    .map((path) => path.split('/').at(-1)!.replace('.parquet', ''))
    .sort();
}

test('what another engine appended and deleted is undone; our own commits since then stay', async () => {
  const lake = await newLake();
  await append(lake, 1);
  await append(lake, 2);
  await foreign(lake, 'WRITE', { add: ['theirs'] });
  await foreign(lake, 'DELETE', { remove: ['s1'], add: ['s1-rewritten'] });
  await append(lake, 3);
  expect(await names(lake.table)).toEqual(['s1-rewritten', 's2', 's3', 'theirs']);
  const dry = await restoreTable(lake.storage, SPEC.root, { version: 1, dryRun: true });
  expect(dry).toMatchObject({ version: 4, returned: 1, undone: [{ operation: 'WRITE' }, { operation: 'DELETE' }] });
  expect(await restoreTable(lake.storage, SPEC.root, { version: 1, dryRun: false })).toMatchObject({ version: 5 });
  expect(await names(lake.table)).toEqual(['s1', 's2', 's3']);
  expect((await lake.table.snapshot()).txns.get(APP)).toBe(3);
  await append(lake, 4);
  expect(await names(deltaTable(lake.storage, SPEC))).toEqual(['s1', 's2', 's3', 's4']);
  // A repetition finds nothing to undo.
  expect(await restoreTable(lake.storage, SPEC.root, { version: 1, dryRun: false })).toMatchObject({
    version: 6,
    returned: 0,
  });
});

test('a protocol and properties of another engine are undone, also for a table that knew the version before', async () => {
  const lake = await newLake();
  await append(lake, 1);
  const protocol = {
    minReaderVersion: 3,
    minWriterVersion: 7,
    readerFeatures: ['v2Checkpoint'],
    writerFeatures: ['v2Checkpoint'],
  };
  await foreign(lake, 'SET TBLPROPERTIES', { more: [{ protocol }] });
  await expect(lake.table.snapshot()).rejects.toMatchObject({ code: 'table_unsupported' });
  await restoreTable(lake.storage, SPEC.root, { version: 0, dryRun: false });
  await append(lake, 2);
  expect(await names(lake.table)).toEqual(['s1', 's2']);
});

test('a compaction of ours that took in a file of theirs is in the way', async () => {
  const lake = await newLake();
  await append(lake, 1);
  await foreign(lake, 'WRITE', { add: ['theirs'] });
  const remove = [...(await lake.table.snapshot()).files.values()];
  const add = [await upload(lake.storage, 'compacted')];
  await lake.table.replace({ remove, add, dataChange: false, unusedSinceMs: Date.now(), info: {} });
  const restore = restoreTable(lake.storage, SPEC.root, { version: 0, dryRun: false });
  await expect(restore).rejects.toMatchObject({ code: 'restore_impossible' });
  expect(await names(lake.table)).toEqual(['compacted']);
});

test('a file does not come back after an erasure, nor once it is gone', async () => {
  const erased = await newLake();
  await append(erased, 1);
  await foreign(erased, 'DELETE', { remove: ['s1'] });
  await erased.table.raise({ id: ERASURES_ID, version: 1, info: {} });
  await expect(restoreTable(erased.storage, SPEC.root, { version: 0, dryRun: true })).rejects.toThrow(/1 erasures/);
  const gone = await newLake();
  await append(gone, 1);
  await foreign(gone, 'DELETE', { remove: ['s1'] });
  await gone.storage.delete([`${SPEC.root}/${pathOf('s1')}`]);
  await expect(restoreTable(gone.storage, SPEC.root, { version: 0, dryRun: true })).rejects.toThrow(
    /no longer in the store/,
  );
});

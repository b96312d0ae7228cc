import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import type { NewFile } from '../../../lake/delta/commits.ts';
import { rootPartition } from '../../../lake/delta/rootPartition.ts';
import { boundedPaths, withSkippingColumns } from '../../../lake/delta/skipping.ts';
import { deltaTable, type TableSpec } from '../../../lake/delta/table.ts';
import { openLocalStorage } from '../../../lake/storage/local.ts';
import type { Storage } from '../../../lake/storage/storage.ts';

const dir = await mkdtemp(join(tmpdir(), 'spor-test-description-'));
afterAll(() => rm(dir, { recursive: true, force: true }));

const SPEC: TableSpec = {
  root: 'events/tenant=t',
  columns: [
    { name: 'event_id', type: 'string' },
    { name: 'user_id', type: 'string', bounds: false },
    { name: 'total', type: 'decimal' },
    { name: 'paid', type: 'boolean' },
    { name: 'lines', type: { list: 'integer' } },
  ],
  partitionColumns: ['segment', 'date'],
};
const APP = 'EVENTS_0@x';
const SKIPPING = 'delta.dataSkippingStatsColumns';

let lakes = 0;
const newLake = (): Promise<Storage> => openLocalStorage(join(dir, `lake-${lakes++}`));

function file(name: string): NewFile {
  return {
    path: `segment=web/date=2026-11-23/${name}.parquet`,
    size: 100,
    rows: 3,
    partitionValues: { segment: 'web', date: '2026-11-23' },
    stats: { numRecords: 3, minValues: {}, maxValues: {}, nullCount: {} },
  };
}

type Line = Record<string, Record<string, unknown>>;

/** The lines of a log entry as they are. */
async function entry(storage: Storage, version: number): Promise<Line[]> {
  const name = `${String(version).padStart(20, '0')}.json`;
  const text = await readFile(storage.localPath(`${SPEC.root}/_delta_log/${name}`)!, 'utf8');
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
}

function one(lines: readonly Line[], kind: string): Record<string, unknown> {
  const [line] = lines.filter((of) => kind in of);
  if (!line) throw new Error(`no ${kind}`);
  return line[kind]!;
}

/** A table as version 1 of Spor wrote it: no tenant, no property, no provenance. */
async function oldTable(): Promise<Storage> {
  const storage = await newLake();
  const fields = ['event_id', 'user_id', 'segment'].map((name) => ({
    name,
    type: 'string',
    nullable: true,
    metadata: {},
  }));
  const date = { name: 'date', type: 'date', nullable: true, metadata: {} };
  const schemaString = JSON.stringify({ type: 'struct', fields: [...fields, date] });
  const partitionColumns = ['segment', 'date'];
  const { rows: _rows, stats, ...add } = file('old');
  const lines = [
    { commitInfo: { timestamp: 1, engineInfo: 'spor', operation: 'WRITE' } },
    { protocol: { minReaderVersion: 1, minWriterVersion: 2 } },
    {
      metaData: {
        id: 'x',
        format: { provider: 'parquet', options: {} },
        schemaString,
        partitionColumns,
        configuration: { 'spor.retentionDays': '30' },
      },
    },
    {
      add: {
        ...add,
        modificationTime: 5,
        dataChange: true,
        stats: JSON.stringify(stats),
        tags: { 'spor.columns': 'c' },
      },
    },
    { txn: { appId: APP, version: 7 } },
  ];
  const log = storage.localPath(`${SPEC.root}/_delta_log`)!;
  await mkdir(log, { recursive: true });
  await writeFile(join(log, '00000000000000000000.json'), lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  return storage;
}

describe('a table as other engines need it', () => {
  test('states its root as the first partition column, and the columns with bounds', async () => {
    const storage = await newLake();
    const txn = { appId: APP, version: 1, expected: undefined };
    await deltaTable(storage, SPEC).append({ files: [file('a')], txn, info: { operation: 'STREAMING UPDATE' } });
    const lines = await entry(storage, 0);
    expect(one(lines, 'metaData')).toMatchObject({
      partitionColumns: ['tenant', 'segment', 'date'],
      configuration: { [SKIPPING]: 'event_id,total' },
    });
    expect(one(lines, 'add').partitionValues).toEqual({ tenant: 't', segment: 'web', date: '2026-11-23' });
  });

  test('has provenance that Spark shows', async () => {
    const storage = await newLake();
    const table = deltaTable(storage, SPEC);
    await table.append({ files: [file('a')], txn: { appId: APP, version: 1, expected: undefined }, info: {} });
    await table.append({ files: [file('b')], txn: { appId: APP, version: 2, expected: 1 }, info: {} });
    const remove = [...(await table.snapshot()).files.values()];
    const info = { operation: 'OPTIMIZE', operationMetrics: { numRemovedFiles: '2', own: '1' } };
    await table.replace({ remove, add: [file('c')], dataChange: false, unusedSinceMs: Date.now(), info });
    const [first, second, third] = await Promise.all(
      [0, 1, 2].map(async (version) => one(await entry(storage, version), 'commitInfo')),
    );
    expect(first).toMatchObject({ isBlindAppend: true, operationMetrics: { numFiles: '1', numOutputRows: '3' } });
    expect(first).not.toHaveProperty('readVersion');
    expect(second).toMatchObject({ readVersion: 0, isBlindAppend: true });
    expect(third).toMatchObject({ readVersion: 1, isBlindAppend: false });
    expect(third!.operationMetrics).toMatchObject({ numAddedFiles: '1', numRemovedFiles: '2', own: '1' });
  });

  test('that is append-only loses no row, and may be compacted', async () => {
    const storage = await newLake();
    const table = deltaTable(storage, SPEC);
    await table.append({ files: [file('a')], txn: { appId: APP, version: 1, expected: undefined }, info: {} });
    await table.configure({ set: { 'delta.appendOnly': 'true' }, info: {} });
    const replace = async (add: string, dataChange: boolean) => {
      const remove = [...(await table.snapshot()).files.values()];
      await table.replace({ remove, add: [file(add)], dataChange, unusedSinceMs: Date.now(), info: {} });
    };
    await expect(replace('b', true)).rejects.toMatchObject({ code: 'table_append_only' });
    await replace('c', false);
    await table.append({ files: [file('d')], txn: { appId: APP, version: 2, expected: 1 }, info: {} });
    expect((await table.snapshot()).files.size).toBe(2);
  });
});

describe('a table of an older version', () => {
  test('is described anew in one commit of its own, which changes no row', async () => {
    const storage = await oldTable();
    const table = deltaTable(storage, SPEC);
    await table.append({ files: [file('new')], txn: { appId: APP, version: 8, expected: 7 }, info: {} });
    const upgrade = await entry(storage, 1);
    expect(one(upgrade, 'commitInfo')).toMatchObject({ operation: 'UPGRADE TABLE', isBlindAppend: false });
    expect(one(upgrade, 'metaData')).toMatchObject({
      id: 'x',
      partitionColumns: ['tenant', 'segment', 'date'],
      configuration: { 'spor.retentionDays': '30', [SKIPPING]: 'event_id,total' },
    });
    expect(upgrade.filter((line) => 'add' in line)).toEqual([
      {
        add: expect.objectContaining({
          path: 'segment=web/date=2026-11-23/old.parquet',
          partitionValues: { tenant: 't', segment: 'web', date: '2026-11-23' },
          dataChange: false,
          modificationTime: 5,
          tags: { 'spor.columns': 'c' },
        }) as unknown,
      },
    ]);
    expect(upgrade.some((line) => 'txn' in line || 'remove' in line)).toBe(false);
    const append = await entry(storage, 2);
    expect(append.some((line) => 'metaData' in line)).toBe(false);
    expect((await table.snapshot()).files.size).toBe(2);
  });

  test('is brought up to date once, also after an older writer', async () => {
    const storage = await oldTable();
    expect((await deltaTable(storage, SPEC).bringUpToDate()).version).toBe(1);
    expect((await deltaTable(storage, SPEC).bringUpToDate()).version).toBe(1);
    const old = (await entry(storage, 0)).find((line) => 'add' in line)!.add!;
    const line = { add: { ...old, path: 'segment=web/date=2026-11-23/older-writer.parquet' } };
    await storage.putIfAbsent(`${SPEC.root}/_delta_log/00000000000000000002.json`, Buffer.from(JSON.stringify(line)));
    const { files } = await deltaTable(storage, SPEC).bringUpToDate();
    expect([...files.values()].map(({ partitionValues }) => partitionValues.tenant)).toEqual(['t', 't']);
    expect((await entry(storage, 3)).filter((of) => 'add' in of)).toHaveLength(1);
  });

  test('that does not exist is not made', async () => {
    const storage = await newLake();
    expect((await deltaTable(storage, SPEC).bringUpToDate()).version).toBe(-1);
    await expect(readdir(storage.localPath(SPEC.root)!)).rejects.toMatchObject({ code: 'ENOENT' });
  });
});

test('a checksum beside the hint goes with the old hint', async () => {
  const storage = await newLake();
  const table = deltaTable(storage, SPEC);
  await table.append({ files: [file('a')], txn: { appId: APP, version: 1, expected: undefined }, info: {} });
  const log = storage.localPath(`${SPEC.root}/_delta_log`)!;
  await writeFile(join(log, '_last_checkpoint'), '{"version":-5,"size":1}');
  await writeFile(join(log, '._last_checkpoint.crc'), 'stale');
  await table.checkpoint();
  expect((await readdir(log)).sort()).toEqual([
    '00000000000000000000.checkpoint.parquet',
    '00000000000000000000.json',
    '_last_checkpoint',
  ]);
});

describe('columns with bounds', () => {
  test('are named by path; text of people, lists and booleans are not', () => {
    const struct = {
      struct: [
        { name: 'zip', type: 'integer' as const },
        { name: 'tags', type: { list: 'string' as const } },
      ],
    };
    expect(boundedPaths({ name: 'address', type: struct })).toEqual(['address.zip']);
    expect(boundedPaths({ name: 'odd.name', type: 'long' })).toEqual(['`odd.name`']);
    expect(boundedPaths({ name: 'user_id', type: 'string', bounds: false })).toEqual([]);
  });

  test('follow the schema; those of a newer version stay, and a name given by hand does not', () => {
    const before = { [SKIPPING]: 'event_id, user_id,coupon,`a,b`', other: 'x' };
    expect(withSkippingColumns(before, SPEC.columns)).toEqual({
      [SKIPPING]: 'event_id,total,coupon,`a,b`',
      other: 'x',
    });
    const current = { [SKIPPING]: 'event_id,total' };
    expect(withSkippingColumns(current, SPEC.columns)).toBe(current);
    expect(withSkippingColumns({}, [])).toEqual({});
  });
});

test.each([
  ['events/tenant=t', { tenant: 't' }],
  ['marts/tenant=a-b/popularity', { tenant: 'a-b' }],
  ['plain/table', {}],
])('the partition of %s', (root, wanted) => {
  expect(rootPartition(root)).toEqual(wanted);
});

import { mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { readHint, TOMBSTONE_MS } from '../../../lake/delta/checkpoint.ts';
import { duckdbCheckpoints } from '../../../lake/delta/checkpointParquet.ts';
import { planRead } from '../../../lake/delta/log.ts';
import type { Snapshot } from '../../../lake/delta/snapshot.ts';
import { openDuckdb } from '../../../lake/duckdb/duckdb.ts';
import type { NewFile } from '../../../lake/delta/commits.ts';
import { deltaTable, type Table, type TableSpec } from '../../../lake/delta/table.ts';
import { maybeCheckpoint } from '../../../lake/maintenance/checkpoints.ts';
import { cleanLog, planLogCleanup, type LogFile } from '../../../lake/maintenance/logCleanup.ts';
import { openLocalStorage } from '../../../lake/storage/local.ts';
import type { Storage } from '../../../lake/storage/storage.ts';
import { tableSpec } from '../../../lake/layout/tables.ts';
import { REGISTRY, SILENT } from './fixture.ts';
import { readState } from './independentLog.ts';

const dir = await mkdtemp(join(tmpdir(), 'spor-test-checkpoint-'));
afterAll(() => rm(dir, { recursive: true, force: true }));

const SPEC: TableSpec = tableSpec('events', 'shop', REGISTRY);
const APP = 'EVENTS_0@2026-11-23T10:00:00Z';
const CHECKPOINTS = duckdbCheckpoints();
const HOUR = 3_600_000;
let lakes = 0;

async function newLake(): Promise<Storage> {
  return openLocalStorage(join(dir, `lake-${lakes++}`));
}

function file(name: string): NewFile {
  const stats = {
    numRecords: 3,
    minValues: { event_id: 'a', event_time: '2026-11-23T00:00:00.000Z', total: 1.5 },
    maxValues: { event_id: 'z"\\ æøå', event_time: '2026-11-23T01:00:00.000Z', total: 9 },
    nullCount: { event_id: 0, total: 1 },
  };
  const partitionValues = { segment: 'web', date: '2026-11-23' };
  return {
    path: `segment=web/date=2026-11-23/${name}.parquet`,
    size: 1_000 + name.length,
    rows: 3,
    partitionValues,
    stats,
  };
}

async function append(table: Table, from: number, to: number): Promise<void> {
  for (let version = from; version < to; version++) {
    const expected = (await table.snapshot()).txns.get(APP);
    await table.append({ files: [file(`f${version}`)], txn: { appId: APP, version, expected }, info: {} });
  }
}

async function replace(table: Table, paths: readonly string[], by: string): Promise<void> {
  const { files } = await table.snapshot();
  const remove = paths.map((path) => files.get(path)!);
  await table.replace({ remove, add: [file(by)], dataChange: false, unusedSinceMs: Date.now(), info: {} });
}

function folder(storage: Storage): string {
  return storage.localPath(SPEC.root)!;
}

async function logNames(storage: Storage): Promise<string[]> {
  return (await readdir(join(folder(storage), '_delta_log'))).sort();
}

/** Ours through the checkpoint, ours from the JSON entries alone where they are all there, and the independent reader's. */
async function expectSame(storage: Storage, expected: Snapshot): Promise<void> {
  const opened = await deltaTable(storage, SPEC).snapshot();
  const independent = await readState(folder(storage));
  expect(opened.checkpoint).toBe(independent.checkpoint);
  for (const state of [opened, independent]) expect(state.version).toBe(expected.version);
  const sorted = (files: Iterable<[string, unknown]>) => new Map([...files].sort(([a], [b]) => (a < b ? -1 : 1)));
  const checkpointed = [...expected.files].map(([path, add]): [string, unknown] => [
    path,
    { ...add, dataChange: expect.any(Boolean) as boolean },
  ]);
  expect(sorted(opened.files)).toEqual(sorted(checkpointed));
  expect(sorted([...independent.files].map(([path, add]) => [path, { ...add, path }]))).toEqual(sorted(checkpointed));
  expect(Object.fromEntries(opened.txns)).toEqual(Object.fromEntries(expected.txns));
  expect(independent.txns).toEqual(Object.fromEntries(expected.txns));
  expect(opened.metaData).toEqual(expected.metaData);
  expect(independent.metaData).toEqual(expected.metaData);
  expect(independent.protocol).toEqual(expected.protocol);
}

describe('checkpoints', () => {
  test('hold the same table, for us and for an independent reader, with odd paths, removes, and what came after', async () => {
    const storage = await newLake();
    const table = deltaTable(storage, SPEC);
    await append(table, 1, 6);
    await table.fence({ appId: APP, version: 7, info: {} });
    await table.append({
      files: [file('100% #1?=æ ø')],
      txn: { appId: 'other', version: 1, expected: undefined },
      info: {},
    });
    await replace(table, [file('f1').path, file('f2').path], 'merged');
    const before = await table.snapshot();
    const written = await table.checkpoint();
    expect(written).toMatchObject({ version: before.version, rows: 2 + 3 + 5 + 2 });
    await expectSame(storage, before);
    await append(table, 6, 9);
    await expectSame(storage, await table.snapshot());
    expect(JSON.parse(await readFile(join(folder(storage), '_delta_log/_last_checkpoint'), 'utf8'))).toEqual({
      version: before.version,
      size: written!.rows,
      sizeInBytes: written!.bytes,
      numOfAddFiles: 5,
    });
  });

  test('pass tombstones on from one to the next, until they expire or the file is added again', async () => {
    const storage = await newLake();
    const table = deltaTable(storage, SPEC);
    await append(table, 1, 5);
    await replace(table, [file('f1').path], 'm1');
    await table.checkpoint();
    await replace(table, [file('f2').path], 'm2');
    await table.checkpoint();
    await replace(table, [file('m1').path, file('f3').path], 'f1');
    expect((await table.snapshot()).tombstones.size).toBe(2);
    const removed = [file('f2').path, file('m1').path, file('f3').path].sort();
    expect([...(await table.tombstones()).keys()].sort()).toEqual(removed);
    await table.checkpoint();
    expect((await table.snapshot()).tombstones.size).toBe(0);
    const fresh = deltaTable(storage, SPEC);
    expect([...(await fresh.tombstones()).keys()].sort()).toEqual(removed);
    const state = await readState(folder(storage));
    expect([...state.removed.keys()].sort()).toEqual(removed);
    expect(
      [...state.removed.values()].every(
        ({ deletionTimestamp }) => Math.abs(Number(deletionTimestamp) - Date.now()) < 60_000,
      ),
    ).toBe(true);
    await append(table, 5, 6);
    const now = Date.now() + TOMBSTONE_MS + 60_000;
    storage.now = () => Promise.resolve(now);
    await table.checkpoint();
    expect((await deltaTable(storage, SPEC).tombstones()).size).toBe(0);
  });

  test('record a removal by a clock years ahead as of their own time, so that vacuum finds its file', async () => {
    const storage = await newLake();
    const real = storage.now.bind(storage);
    const ahead = deltaTable(storage, SPEC);
    await append(ahead, 1, 4);
    storage.now = async () => (await real()) + 10 * 365 * 24 * HOUR;
    await replace(ahead, [file('f1').path], 'm1');
    storage.now = real;
    const removedAt = async (): Promise<number[]> =>
      [...(await deltaTable(storage, SPEC).tombstones()).values()].map(
        ({ deletionTimestamp = 0 }) => deletionTimestamp,
      );
    expect(Math.max(...(await removedAt()))).toBeGreaterThan(Date.now() + HOUR);
    await ahead.checkpoint();
    expect(Math.max(...(await removedAt()))).toBeLessThan(Date.now() + HOUR);
  });

  test('are written every 20 commits by whoever commits, and a failure does no harm', async () => {
    const storage = await newLake();
    const table = deltaTable(storage, SPEC);
    const wrote: boolean[] = [];
    for (let version = 1; version <= 45; version++) {
      await append(table, version, version + 1);
      wrote.push(await maybeCheckpoint(table, SILENT));
    }
    expect(wrote.flatMap((one, index) => (one ? [index + 1] : []))).toEqual([20, 40]);
    const failing = deltaTable(storage, SPEC, {
      checkpoints: { ...CHECKPOINTS, write: () => Promise.reject(new Error('disk full')) },
    });
    await failing.snapshot();
    await append(failing, 46, 70);
    expect(await maybeCheckpoint(failing, SILENT)).toBe(false);
    expect(failing.sinceCheckpoint().commits).toBe(0);
    await expectSame(storage, await failing.snapshot());
  });

  test('race with commits and with one another', async () => {
    const storage = await newLake();
    await append(deltaTable(storage, SPEC), 1, 2);
    const committers = [0, 1].map(async (writer) => {
      const table = deltaTable(storage, SPEC);
      for (let i = 0; i < 15; i++) {
        const txn = { appId: `EVENTS_${writer}@x`, version: i, expected: i === 0 ? undefined : i - 1 };
        await table.append({ files: [file(`w${writer}-${i}`)], txn, info: {} });
        if (i % 5 === 4) await table.checkpoint();
      }
    });
    const others = [0, 1].map(async () => {
      for (let i = 0; i < 4; i++) await deltaTable(storage, SPEC).checkpoint();
    });
    await Promise.all([...committers, ...others]);
    const all = await deltaTable(storage, SPEC).snapshot();
    expect(all.files.size).toBe(31);
    await expectSame(storage, all);
  });

  test('the older of two writers at once does not leave its hint behind', async () => {
    const storage = await newLake();
    const table = deltaTable(storage, SPEC);
    await append(table, 1, 2);
    let other: Promise<unknown> | undefined;
    // The other writer comes between this one's look at the hint and its change.
    const late = new Proxy(storage, {
      get: (target, name: keyof Storage) => {
        if (name !== 'delete') return (target[name] as () => unknown).bind(target);
        return async (paths: string[]): Promise<void> => {
          other ??= append(table, 2, 4).then(() => table.checkpoint());
          await other;
          await storage.delete(paths);
        };
      },
    });
    await deltaTable(late, SPEC).checkpoint();
    const snapshot = await table.snapshot();
    expect(await readHint(storage, SPEC.root)).toBeUndefined();
    await expectSame(storage, snapshot);
    expect((await deltaTable(storage, SPEC).snapshot()).checkpoint).toBe(snapshot.version);
  });

  test('a lost or misleading hint is no more than a detour', async () => {
    const storage = await newLake();
    const table = deltaTable(storage, SPEC);
    await append(table, 1, 4);
    await table.checkpoint();
    await append(table, 4, 6);
    const hint = join(folder(storage), '_delta_log/_last_checkpoint');
    for (const text of [
      '',
      'not json',
      '{"version":-1}',
      '{"version":77,"size":1}',
      '{"version":1,"size":1}',
      '[]',
      'null',
    ]) {
      await writeFile(hint, text);
      await expectSame(storage, await table.snapshot());
    }
    await rm(hint);
    await expectSame(storage, await table.snapshot());
  });

  test('of other tools are read too: without tombstones, with columns of their own', async () => {
    const storage = await newLake();
    const log = join(folder(storage), '_delta_log');
    await mkdir(log, { recursive: true });
    const engine = openDuckdb({ memory: '256MiB', threads: 1, spillDir: '' });
    const session = engine.session();
    await session.run(`COPY (
      SELECT {'minReaderVersion': 1::INTEGER, 'minWriterVersion': 2::INTEGER, 'readerFeatures': NULL::VARCHAR[]} AS protocol, NULL AS "metaData", NULL AS "add"
      UNION ALL SELECT NULL, {'id': 'x', 'format': {'provider': 'parquet'}, 'schemaString': '{"type":"struct","fields":[]}', 'partitionColumns': []::VARCHAR[]}, NULL
      UNION ALL SELECT NULL, NULL, {'path': 'a%20b.parquet', 'partitionValues': MAP {'date': NULL::VARCHAR}, 'size': 5::BIGINT, 'modificationTime': 7::BIGINT, 'dataChange': true, 'stats_parsed': {'numRecords': 3}}
    ) TO '${join(log, '00000000000000000010.checkpoint.parquet')}' (FORMAT parquet)`);
    await session.close();
    await engine.close();
    const snapshot = await deltaTable(storage, SPEC).snapshot();
    expect(snapshot).toMatchObject({
      version: 10,
      checkpoint: 10,
      protocol: { minReaderVersion: 1, minWriterVersion: 2 },
    });
    expect(snapshot.metaData).toMatchObject({ id: 'x', configuration: {} });
    expect([...snapshot.files.values()]).toEqual([
      { path: 'a b.parquet', partitionValues: { date: null }, size: 5, modificationTime: 7, dataChange: true },
    ]);
    await writeFile(join(log, '00000000000000000010.checkpoint.parquet'), 'PAR1 broken PAR1');
    await expect(deltaTable(storage, SPEC).snapshot()).rejects.toMatchObject({ code: 'table_corrupt' });
  });

  test('planRead begins with the newest checkpoint, unless the few entries after the snapshot are all there', () => {
    const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);
    expect(planRead({ entries: range(0, 5), checkpoints: [] }, -1)).toEqual({
      checkpoint: undefined,
      entries: range(0, 5),
    });
    expect(planRead({ entries: range(0, 5), checkpoints: [2, 4] }, -1)).toEqual({ checkpoint: 4, entries: [5] });
    expect(planRead({ entries: range(3, 6), checkpoints: [5] }, 3)).toEqual({
      checkpoint: undefined,
      entries: [4, 5, 6],
    });
    // Without the snapshot's own entry the log was cleaned, and entry 4 is a late writer's.
    expect(planRead({ entries: range(4, 6), checkpoints: [5] }, 3)).toEqual({ checkpoint: 5, entries: [6] });
    expect(planRead({ entries: range(5, 6), checkpoints: [5] }, 3)).toEqual({ checkpoint: 5, entries: [6] });
    expect(planRead({ entries: range(5, 6), checkpoints: [] }, 3)).toBe('cleaned');
    expect(planRead({ entries: [], checkpoints: [7] }, 3)).toEqual({ checkpoint: 7, entries: [] });
    expect(planRead({ entries: range(4, 900), checkpoints: [5, 880] }, 3)).toEqual({
      checkpoint: 880,
      entries: range(881, 900),
    });
    expect(planRead({ entries: [4, 9, 10], checkpoints: [9] }, 3)).toEqual({ checkpoint: 9, entries: [10] });
    expect(planRead({ entries: [], checkpoints: [] }, 3)).toEqual({ checkpoint: undefined, entries: [] });
  });
});

describe('log cleanup', () => {
  async function age(storage: Storage, versions: number, hours: number): Promise<void> {
    const when = new Date(Date.now() - hours * HOUR);
    for (const name of await logNames(storage)) {
      if (/^\d{20}/.test(name) && Number(name.slice(0, 20)) < versions)
        await utimes(join(folder(storage), '_delta_log', name), when, when);
    }
  }

  test('deletes what is older than the retention and before the newest checkpoint of that age; all readers go on', async () => {
    const storage = await newLake();
    const table = deltaTable(storage, SPEC);
    const stale = deltaTable(storage, SPEC);
    await append(table, 1, 6);
    await table.checkpoint();
    await stale.snapshot();
    await append(table, 6, 11);
    await table.checkpoint();
    await append(table, 11, 16);
    await table.checkpoint();
    await append(table, 16, 18);
    const before = await table.snapshot();
    const options = { retentionMs: 24 * HOUR, checkpoints: CHECKPOINTS, keepEntries: 0 };
    expect(await cleanLog(storage, SPEC.root, options)).toEqual({ deletedFiles: 0, startsAt: undefined });
    await age(storage, 12, 25);
    // Entries 0 to 11 are old; the newest checkpoint among them is that of version 9.
    expect(await cleanLog(storage, SPEC.root, options)).toEqual({ deletedFiles: 10, startsAt: 9 });
    const left = await logNames(storage);
    expect(left.filter((name) => name.endsWith('.json'))[0]).toBe('00000000000000000009.json');
    expect(left.filter((name) => name.includes('checkpoint')).map((name) => name.slice(0, 20))).toEqual([
      '00000000000000000009',
      '00000000000000000014',
      '_last_checkpoint',
    ]);
    await expectSame(storage, before);
    expect([...(await stale.snapshot()).files.keys()].sort()).toEqual([...before.files.keys()].sort());
    await append(stale, 18, 20);
    await table.snapshot();
    await expectSame(storage, await table.snapshot());
    expect(await cleanLog(storage, SPEC.root, options)).toEqual({ deletedFiles: 0, startsAt: undefined });
  });

  test('an owner whose checkpoint has been cleaned away begins with the newest one, and writes the next', async () => {
    const storage = await newLake();
    const owner = deltaTable(storage, SPEC);
    await append(owner, 1, 4);
    await owner.checkpoint();
    const other = deltaTable(storage, SPEC);
    await replace(other, [file('f1').path], 'm1');
    await append(other, 4, 8);
    await other.checkpoint();
    await append(other, 8, 9);
    await age(storage, 100, 2);
    expect(
      await cleanLog(storage, SPEC.root, { retentionMs: HOUR, checkpoints: CHECKPOINTS, keepEntries: 0 }),
    ).toMatchObject({
      startsAt: 7,
    });
    expect((await owner.snapshot()).checkpoint).toBe(7);
    await append(owner, 9, 10);
    expect(await owner.checkpoint()).toMatchObject({ version: 9 });
    expect([...(await deltaTable(storage, SPEC).tombstones()).keys()]).toEqual([file('f1').path]);
    await expectSame(storage, await other.snapshot());
  });

  test.each([
    ['stands', false],
    ['is made again where readers see it, when its version had been used and cleaned away', true],
  ])('a commit of a process that was stopped for long in the middle of it %s', async (_, cleaned) => {
    const storage = await newLake();
    const other = deltaTable(storage, SPEC);
    await append(other, 1, 4);
    const now = performance.now.bind(performance);
    let stoppedOnce = false;
    const stopped = new Proxy(storage, {
      get(target, name) {
        if (name !== 'putIfAbsent') return (target[name as keyof Storage] as () => unknown).bind(target);
        return async (path: string, body: Uint8Array): Promise<boolean> => {
          performance.now = () => now() + 700_000;
          if (cleaned && !stoppedOnce) {
            stoppedOnce = true;
            await append(other, 4, 9);
            await other.checkpoint();
            await append(other, 9, 11);
            await age(storage, 100, 2);
            await cleanLog(storage, SPEC.root, { retentionMs: HOUR, checkpoints: CHECKPOINTS, keepEntries: 0 });
          }
          return target.putIfAbsent(path, body);
        };
      },
    });
    const zombie = deltaTable(stopped, SPEC);
    await zombie.snapshot();
    performance.now = now;
    const txn = { appId: 'zombie', version: 1, expected: undefined };
    let made: { version: number };
    try {
      made = await zombie.append({ files: [file('z')], txn, info: {} });
    } finally {
      performance.now = now;
    }
    expect(made.version).toBe(cleaned ? 10 : 3);
    const snapshot = await deltaTable(storage, SPEC).snapshot();
    expect(snapshot.version).toBe(made.version);
    expect(snapshot.files.has(file('z').path)).toBe(true);
    expect(snapshot.txns.get('zombie')).toBe(1);
    await expectSame(storage, snapshot);
  });

  test('mends a hint that was lost between two writes, and refuses a retention under an hour', async () => {
    const storage = await newLake();
    const table = deltaTable(storage, SPEC);
    await append(table, 1, 4);
    await table.checkpoint();
    const hint = join(folder(storage), '_delta_log/_last_checkpoint');
    const before = JSON.parse(await readFile(hint, 'utf8')) as object;
    await rm(hint);
    await cleanLog(storage, SPEC.root, { retentionMs: HOUR, checkpoints: CHECKPOINTS, keepEntries: 0 });
    expect(before).toMatchObject(JSON.parse(await readFile(hint, 'utf8')) as object);
    const tooShort = cleanLog(storage, SPEC.root, { retentionMs: HOUR - 1, checkpoints: CHECKPOINTS, keepEntries: 0 });
    await expect(tooShort).rejects.toBeInstanceOf(RangeError);
  });

  test('planLogCleanup never goes past the hint, an entry that is young, or where there is no checkpoint', () => {
    const files = (entries: number[], checkpoints: number[], youngFrom = Infinity): LogFile[] => [
      ...entries.map((version): LogFile => ({
        path: `${version}.json`,
        version,
        kind: 'entry',
        modifiedMs: version >= youngFrom ? 100 : 0,
      })),
      ...checkpoints.map((version): LogFile => ({ path: `${version}.ck`, version, kind: 'checkpoint', modifiedMs: 0 })),
    ];
    const all = [0, 1, 2, 3, 4, 5, 6];
    expect(planLogCleanup(files(all, []), { olderThan: 50, hint: undefined, keepEntries: 0 })).toBeUndefined();
    expect(planLogCleanup(files(all, [3, 5]), { olderThan: 50, hint: undefined, keepEntries: 0 })).toBeUndefined();
    expect(planLogCleanup(files(all, [3, 5]), { olderThan: 50, hint: 3, keepEntries: 0 })).toEqual({
      checkpoint: 3,
      paths: ['0.json', '1.json', '2.json'],
    });
    expect(planLogCleanup(files(all, [3, 5]), { olderThan: 50, hint: 5, keepEntries: 0 })?.paths).toEqual([
      '0.json',
      '1.json',
      '2.json',
      '3.json',
      '3.ck',
      '4.json',
    ]);
    expect(planLogCleanup(files(all, [3, 5], 5), { olderThan: 50, hint: 5, keepEntries: 0 })?.checkpoint).toBe(3);
    expect(planLogCleanup(files(all, [3], 3), { olderThan: 50, hint: 5, keepEntries: 0 })).toBeUndefined();
  });
});

test('a table with 10,000 commits opens in under a second', async () => {
  const storage = await newLake();
  const table = deltaTable(storage, SPEC);
  await append(table, 1, 2);
  const first = (await table.snapshot()).files.values().next().value!;
  const columns = SPEC.columns.map(({ name }) => name);
  const stats = (value: string): string =>
    JSON.stringify({
      numRecords: 100,
      minValues: Object.fromEntries(columns.slice(0, 30).map((name) => [name, `min ${value}`])),
      maxValues: Object.fromEntries(columns.slice(0, 30).map((name) => [name, `max ${value}`])),
      nullCount: Object.fromEntries(columns.map((name) => [name, 7])),
    });
  const log = join(folder(storage), '_delta_log');
  const write = async (version: number): Promise<void> => {
    const path = `segment=web/date=2026-11-23/EVENTS_0-${version}-${version}-${version}.parquet`;
    const actions = [
      { commitInfo: { timestamp: 1, engineInfo: 'spor', operation: 'WRITE' } },
      { add: { ...first, path, stats: stats(String(version)) } },
      { txn: { appId: APP, version: version + 1 } },
    ];
    const entry = join(log, `${String(version).padStart(20, '0')}.json`);
    await writeFile(entry, actions.map((action) => `${JSON.stringify(action)}\n`).join(''));
  };
  for (let version = 1; version <= 9_970;) {
    await Promise.all(Array.from({ length: Math.min(100, 9_971 - version) }, () => write(version++)));
  }
  await deltaTable(storage, SPEC).checkpoint();
  for (let version = 9_971; version < 10_000; version++) await write(version);
  const times: { wall: number; cpu: number }[] = [];
  for (let round = 0; round < 4; round++) {
    const cpu = process.cpuUsage();
    const startedAt = performance.now();
    const opened = await deltaTable(storage, SPEC).snapshot();
    const { user, system } = process.cpuUsage(cpu);
    times.push({ wall: Math.round(performance.now() - startedAt), cpu: Math.round((user + system) / 1_000) });
    expect(opened).toMatchObject({ version: 9_999, checkpoint: 9_970 });
    expect(opened.files.size).toBe(10_000);
  }
  process.stdout.write(
    `10,000 commits, 10,000 files: opened in ${times.map(({ wall, cpu }) => `${wall} ms (${cpu} ms of CPU)`).join(', ')}\n`,
  );
  // CPU time, since others may be using the machine.
  expect(Math.min(...times.map(({ cpu }) => cpu))).toBeLessThan(1_000);
});

import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { STORED_THROUGH_TAG } from '../../../lake/delta/storedThrough.ts';
import { afterEach, describe, expect, test } from 'vitest';
import { COLUMNS_TAG, columnsFingerprint } from '../../../lake/delta/schema.ts';
import { deltaTable, type Table } from '../../../lake/delta/table.ts';
import type { SqlEngine } from '../../../lake/duckdb/sqlEngine.ts';
import { literal } from '../../../lake/duckdb/sqlText.ts';
import { compact, type CompactOptions } from '../../../lake/maintenance/compact.ts';
import type { CompactionStep } from '../../../lake/maintenance/failpoint.ts';
import { armFailPoint } from '../../../runtime/failpoint.ts';
import { planCompaction, type CompactionJob } from '../../../lake/maintenance/plan.ts';
import { vacuum } from '../../../lake/maintenance/vacuum.ts';
import { SORT_ORDER } from '../../../lake/maintenance/sort.ts';
import { parseFileName } from '../../../lake/layout/tables.ts';
import { APP, createLake, rowsOf, SILENT, type Rows, type TestLake } from './fixture.ts';
import { readParquet, readState } from './independentLog.ts';

const NOW = Date.parse('2026-11-23T12:00:00Z');
const lakes: TestLake[] = [];
afterEach(async () => {
  for (const lake of lakes.splice(0)) await lake.close();
});

async function newLake(): Promise<TestLake> {
  const lake = await createLake();
  lakes.push(lake);
  return lake;
}

/** Files of a day that is over. */
function day(files: number, rows = 100): Rows[] {
  return Array.from({ length: files }, (_, seed) => ({ rows, from: `2026-11-20T0${seed % 10}:00:00.123Z`, seed }));
}

function options(lake: TestLake, table: Table, more: Partial<CompactOptions> = {}): CompactOptions {
  const { storage, engine, workDir } = lake;
  const reach = armFailPoint(undefined);
  const { signal } = new AbortController();
  return { storage, engine, workDir, table, name: 'events', rowsAtOnce: 100_000, log: SILENT, reach, signal, ...more };
}

async function onlyJob(table: Table): Promise<CompactionJob> {
  const jobs = planCompaction(await table.snapshot(), NOW);
  expect(jobs).toHaveLength(1);
  return jobs[0]!;
}

async function dataFiles(lake: TestLake, table: Table): Promise<string[]> {
  const names = await readdir(lake.storage.localPath(table.spec.root)!, { recursive: true });
  return names.filter((name) => name.endsWith('.parquet') && !name.startsWith('_delta_log')).sort();
}

describe('compaction', () => {
  for (const name of ['events', 'quarantine'] as const) {
    test(`keeps every row of ${name}, sorted as the processor sorts, and readable by others`, async () => {
      const lake = await newLake();
      const table = lake.table(name);
      const added = await lake.add(table, day(5), name);
      const before = await rowsOf(lake, await lake.live(table));
      const done = await compact(await onlyJob(table), options(lake, table, { name }));
      expect(done).toMatchObject({ outcome: 'committed', segment: 'web', date: '2026-11-20', files: 5, rows: 500 });
      const [file, ...others] = await lake.live(table);
      expect(others).toEqual([]);
      expect(await rowsOf(lake, [file!])).toEqual(before);

      const rows = await readParquet(file!);
      expect(rows).toHaveLength(500);
      const { lead, time } = SORT_ORDER[name];
      const keys = rows.map(
        (row) => `${lead === undefined ? '' : String(row[lead])} ${(row[time] as Date).toISOString()}`,
      );
      expect(keys).toEqual(keys.toSorted());

      const { files, removed } = await readState(lake.storage.localPath(table.spec.root)!);
      expect([...removed.keys()].sort()).toEqual(added.map(({ path }) => path).sort());
      expect([...removed.values()].every(({ dataChange, size }) => dataChange === false && Number(size) > 0)).toBe(
        true,
      );
      const [add] = [...files.values()];
      expect(add).toMatchObject({ dataChange: false, partitionValues: { segment: 'web', date: '2026-11-20' } });
      expect(add!.tags).toEqual({
        [COLUMNS_TAG]: columnsFingerprint(table.spec.columns),
        [STORED_THROUGH_TAG]: expect.stringMatching(/^\d{13}$/),
      });
      const stats = JSON.parse(String(add!.stats)) as { numRecords: number; minValues: object; maxValues: object };
      expect(stats.numRecords).toBe(500);
      expect(stats.minValues).toMatchObject({ received_at: '2026-11-20T00:00:00.123Z', receipt_id: 'r-0-0' });
      expect(stats.maxValues).toMatchObject({ received_at: '2026-11-20T04:01:39.123Z' });
      // The name tells the messages, as those of the files before.
      const sources = added.map(({ path }) => parseFileName(path)!);
      expect(parseFileName(String(add!.path))).toMatchObject({
        stream: 'EVENTS_0',
        firstSequence: Math.min(...sources.map(({ firstSequence }) => firstSequence)),
        lastSequence: Math.max(...sources.map(({ lastSequence }) => lastSequence)),
      });
      expect(await readdir(lake.workDir)).toEqual([]);
    });
  }

  test('sorts a job that is larger than may be sorted at once in slices, and no row is lost between them', async () => {
    const lake = await newLake();
    const table = lake.table();
    // Two files of the same second, and one that spans the whole day.
    const files = [
      ...day(4, 1_000),
      { rows: 900, from: '2026-11-20T03:00:00Z', stepMs: 1, seed: 9 },
      { rows: 800, from: '2026-11-20T00:00:00Z', stepMs: 107_000, seed: 10 },
    ];
    await lake.add(table, files);
    const before = await rowsOf(lake, await lake.live(table));
    const statements: string[] = [];
    const engine = watched(lake.engine, (sql) => void statements.push(sql));
    const done = await compact(await onlyJob(table), options(lake, table, { rowsAtOnce: 300, engine }));
    expect(done).toMatchObject({ outcome: 'committed', rows: 5_700 });
    expect(statements.filter((sql) => sql.startsWith('COPY')).length).toBeGreaterThan(12);
    const live = await lake.live(table);
    expect(live).toHaveLength(1);
    expect(await rowsOf(lake, live)).toEqual(before);
  });

  test('gives files from before a column the column, and leaves files of a newer version alone', async () => {
    const lake = await newLake();
    const { columns } = lake.table().spec;
    const older = deltaTable(lake.storage, {
      ...lake.table().spec,
      columns: columns.filter(({ name }) => name !== 'phrase'),
    });
    const added = await lake.add(older, day(2));
    // As the older version wrote them: without the column.
    for (const { path } of added) {
      const local = lake.storage.localPath(`${older.spec.root}/${path}`)!;
      await lake.sql(
        `CREATE OR REPLACE TEMP TABLE old AS SELECT * EXCLUDE (phrase) FROM read_parquet(${literal(local)}, hive_partitioning = false)`,
      );
      await lake.storage.delete([`${older.spec.root}/${path}`]);
      await lake.sql(`COPY old TO ${literal(local)} (FORMAT parquet)`);
    }
    const table = lake.table();
    await lake.add(table, [{ rows: 50, from: '2026-11-20T05:00:00Z', seed: 7 }]);
    expect(await compact(await onlyJob(table), options(lake, table))).toMatchObject({
      outcome: 'committed',
      rows: 250,
    });
    const [counted] = await lake.sql(
      `SELECT count(*) AS rows, count(phrase) AS phrases, count(DISTINCT event_id) AS ids FROM read_parquet(${literal((await lake.live(table))[0]!)})`,
    );
    expect(counted).toMatchObject({ rows: '250', ids: '250' });
    expect(Number(counted!.phrases)).toBeGreaterThan(0);

    await lake.add(table, day(3));
    expect(await compact(await onlyJob(older), options(lake, older))).toMatchObject({ outcome: 'skipped' });
    expect((await table.snapshot()).files.size).toBe(4);
  });

  test('of two at once one wins; the other leaves nothing', async () => {
    const lake = await newLake();
    const table = lake.table();
    await lake.add(table, day(6));
    const before = await rowsOf(lake, await lake.live(table));
    const job = await onlyJob(table);
    const done = await Promise.all([1, 2, 3].map(async () => compact(job, options(lake, lake.table()))));
    expect(done.map(({ outcome }) => outcome).sort()).toEqual(['abandoned', 'abandoned', 'committed']);
    expect(await rowsOf(lake, await lake.live(table))).toEqual(before);
    expect(await dataFiles(lake, table)).toHaveLength(7);
  });

  test('loses nothing of what is appended meanwhile, and what it replaces is no conflict for those who append', async () => {
    const lake = await newLake();
    const table = lake.table();
    await lake.add(table, day(6));
    const job = await onlyJob(table);
    let appended = 0;
    let stop = false;
    const appender = (async () => {
      const own = lake.table();
      while (!stop || appended < 3) {
        const version = (await own.snapshot()).txns.get(APP)!;
        await lake.add(own, [{ rows: 10, from: '2026-11-20T09:00:00Z', seed: 100 + appended++ }]);
        expect((await own.snapshot()).txns.get(APP)).toBe(version + 10);
      }
    })();
    const done = await compact(job, options(lake, lake.table()));
    stop = true;
    await appender;
    expect(done.outcome).toBe('committed');
    const rows = await rowsOf(lake, await lake.live(table));
    expect(rows).toHaveLength(600 + appended * 10);
    expect(new Set(rows.map(({ event_id: id }) => id)).size).toBe(rows.length);
    expect((await table.snapshot()).files.size).toBe(1 + appended);
  });

  test('gives up when a file is removed meanwhile: by another commit, or from the store', async () => {
    const lake = await newLake();
    const table = lake.table();
    const added = await lake.add(table, day(3));
    const erased = await lake.add(table, [{ rows: 90, from: '2026-11-20T00:00:00Z', seed: 50 }]);
    const job = await onlyJob(table);
    const snapshot = await table.snapshot();
    const remove = [snapshot.files.get(added[1]!.path)!];
    await table.replace({
      remove,
      add: [],
      dataChange: true,
      unusedSinceMs: Date.now(),
      info: { operation: 'DELETE' },
    });
    expect(await compact(job, options(lake, table))).toMatchObject({ outcome: 'abandoned', rows: 390 });
    expect((await table.snapshot()).files.size).toBe(3);
    expect(await dataFiles(lake, table)).toHaveLength(4);
    const again = await onlyJob(table);
    await lake.storage.delete([`${table.spec.root}/${erased[0]!.path}`]);
    await expect(compact(again, options(lake, table))).rejects.toThrow(/No files found|No such file/);
    expect(await dataFiles(lake, table)).toHaveLength(3);
  });

  test('commits nothing that is not what was read', async () => {
    const lake = await newLake();
    const table = lake.table();
    await lake.add(table, day(3));
    const job = await onlyJob(table);
    const wrong: [string, (sql: string) => string, RegExp][] = [
      [
        'a row is lost',
        (sql) => sql.replace(/^COPY \((.*) ORDER BY (.*)\) TO/s, 'COPY (SELECT * FROM ($1) ORDER BY $2 LIMIT 299) TO'),
        /rows: 299, expected 300/,
      ],
      [
        'a row is another',
        (sql) =>
          sql
            .replace(
              /^COPY \(SELECT /s,
              'COPY (SELECT * REPLACE (CASE WHEN receipt_index = 3 THEN receipt_id || 1 ELSE receipt_id END AS receipt_id) FROM (SELECT ',
            )
            .replace(/ ORDER BY/, ') ORDER BY'),
        /identities/,
      ],
      ['order is lost', (sql) => sql.replace('ORDER BY "type"', 'ORDER BY "event_id"'), /out of order/],
      [
        'a tenant is another',
        (sql) =>
          sql
            .replace(/^COPY \(SELECT /s, "COPY (SELECT * REPLACE ('other' AS tenant_id) FROM (SELECT ")
            .replace(/ ORDER BY/, ') ORDER BY'),
        /tenant_id/,
      ],
    ];
    for (const [what, change, message] of wrong) {
      const engine = watched(lake.engine, change);
      await expect(compact(job, options(lake, table, { engine })), what).rejects.toThrow(message);
    }
    expect((await table.snapshot()).files.size).toBe(3);
    expect(await dataFiles(lake, table)).toHaveLength(3);
    expect(await readdir(lake.workDir)).toEqual([]);
  });

  test('a commit whose answer is lost counts as made; one that was refused leaves the file for vacuum', async () => {
    const lake = await newLake();
    const { storage } = lake;
    const outcomes: (string | undefined)[] = [];
    for (const arrives of [true, false]) {
      const table = lake.table('events', arrives ? 'arrives' : 'lost');
      await lake.add(table, day(3));
      const own = deltaTable(failingAt(storage, arrives), table.spec);
      const done = await compact(await onlyJob(table), options(lake, own)).catch((error: unknown) => error as Error);
      outcomes.push('outcome' in done ? done.outcome : done.message);
      expect((await table.snapshot()).files.size).toBe(arrives ? 1 : 3);
      expect(await dataFiles(lake, table)).toHaveLength(4);
    }
    expect(outcomes).toEqual(['committed', 'the answer is lost']);
  });

  test('does not commit when vacuum has taken the file meanwhile', async () => {
    const lake = await newLake();
    const table = lake.table();
    await lake.add(table, day(3));
    const job = await onlyJob(table);
    // Stopped between the upload and the commit for longer than the grace time.
    const put = lake.storage.putIfAbsent.bind(lake.storage);
    let vacuumed: number | undefined;
    lake.storage.putIfAbsent = async (path, body) => {
      if (vacuumed === undefined) {
        vacuumed = 0;
        const now = Date.now() + 2 * 3_600_000;
        const report = await vacuum(lake.storage, lake.table(), {
          graceMs: 3_600_000,
          present: () => Promise.resolve(now),
        });
        vacuumed = report.deletedFiles;
      }
      return put(path, body);
    };
    const done = await compact(job, options(lake, table));
    expect([done.outcome, vacuumed]).toEqual(['abandoned', 1]);
    expect((await table.snapshot()).files.size).toBe(3);
    expect(await dataFiles(lake, table)).toHaveLength(3);
  });

  test('stops between two steps when it is told to', async () => {
    const lake = await newLake();
    const table = lake.table();
    await lake.add(table, day(3));
    for (const at of ['inputs-ready', 'written'] as const) {
      const abort = new AbortController();
      const reach = (step: CompactionStep): void => void (step === at && abort.abort());
      const done = await compact(await onlyJob(table), options(lake, table, { reach, signal: abort.signal }));
      expect(done.outcome).toBe('stopped');
    }
    expect((await table.snapshot()).version).toBe(0);
    expect(existsSync(join(lake.workDir))).toBe(true);
    expect(await readdir(lake.workDir)).toEqual([]);
  });
});

/** An engine whose statements are seen, or changed, before they run. */
function watched(engine: SqlEngine, see: (sql: string) => string | void): SqlEngine {
  return {
    session: () => {
      const session = engine.session();
      return { run: (sql) => session.run(see(sql) ?? sql), close: () => session.close() };
    },
  };
}

/** A storage that does not answer when a log entry is written, whether or not it is. */
function failingAt(storage: TestLake['storage'], arrives: boolean): TestLake['storage'] {
  return new Proxy(storage, {
    get(target, name) {
      if (name === 'putIfAbsent') {
        return async (path: string, body: Uint8Array) => {
          if (arrives) await target.putIfAbsent(path, body);
          throw new Error('the answer is lost');
        };
      }
      const value = target[name as keyof typeof target];
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

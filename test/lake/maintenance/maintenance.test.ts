import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { Registry } from 'prom-client';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { duckdbCheckpoints } from '../../../lake/delta/checkpointParquet.ts';
import type { Table } from '../../../lake/delta/table.ts';
import { literal } from '../../../lake/duckdb/sqlText.ts';
import { compactLake, vacuumLake } from '../../../lake/maintenance/commands.ts';
import { COMPACTION_STEPS } from '../../../lake/maintenance/failpoint.ts';
import { openMaintenance, type MaintenanceOptions } from '../../../lake/maintenance/maintenance.ts';
import { listTenants } from '../../../lake/layout/tenants.ts';
import { vacuum } from '../../../lake/maintenance/vacuum.ts';
import { openStorage } from '../../../lake/storage/open.ts';
import { startS3 } from '../../../scripts/s3/s3Server.ts';
import { until } from '../../support/until.ts';
import { createLake, REGISTRY, rowsOf, SILENT, type Rows, type TestLake } from './fixture.ts';
import { readState } from './independentLog.ts';

const CHILD = fileURLToPath(new URL('./compactChild.ts', import.meta.url));
const s3 = await startS3();
const s3Why = 'unavailable' in s3 ? s3.unavailable : '';
const lakes: TestLake[] = [];

afterEach(async () => {
  for (const lake of lakes.splice(0)) await lake.close();
});
afterAll(async () => {
  if (!('unavailable' in s3)) await s3.stop();
});

async function newLake(open?: Parameters<typeof createLake>[0]): Promise<TestLake> {
  const lake = await createLake(open);
  lakes.push(lake);
  return lake;
}

function day(files: number, date = '2026-09-20', rows = 60): Rows[] {
  return Array.from({ length: files }, (_, seed) => ({ rows, from: `${date}T0${seed % 10}:00:00.123Z`, seed }));
}

function options(
  { storage, engine, workDir, table }: TestLake,
  more: Partial<MaintenanceOptions> = {},
): MaintenanceOptions {
  return {
    storage,
    engine,
    workDir,
    table,
    checkpoints: duckdbCheckpoints(),
    log: SILENT,
    share: 1,
    logRetentionMs: 24 * 3_600_000,
    vacuumGraceMs: undefined,
    ...more,
  };
}

/** Data files that lie in the table's folder, whether or not the table has them. */
async function filesIn(lake: TestLake, table: Table): Promise<string[]> {
  const names = await readdir(lake.storage.localPath(table.spec.root)!, { recursive: true });
  return names.filter((name) => name.endsWith('.parquet') && !name.startsWith('_delta_log')).sort();
}

describe('killed at a step', () => {
  test.each(COMPACTION_STEPS)('%s: nothing is lost or doubled, and what is left over is found', async (step) => {
    const lake = await newLake();
    const table = lake.table();
    await lake.add(table, day(5));
    const before = await rowsOf(lake, await lake.live(table));
    const root = lake.storage.localPath('events')!.replace(/\/events$/, '');
    const child = spawn(process.execPath, [CHILD, root, lake.workDir, 'shop', step], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
    expect([code, signal]).toEqual([null, 'SIGKILL']);

    const live = await lake.live(table);
    const committed = step === 'after-commit' || step === 'cleaned-up';
    expect(live).toHaveLength(committed ? 1 : 5);
    expect(await rowsOf(lake, live)).toEqual(before);
    const state = await readState(lake.storage.localPath(table.spec.root)!);
    expect(state.files.size).toBe(live.length);

    const maintenance = await openMaintenance(options(lake));
    expect((await readdir(lake.workDir)).filter((name) => name.startsWith('compact-'))).toEqual([]);
    const [report] = await maintenance.run('shop');
    expect(report!.compacted.map(({ outcome }) => outcome)).toEqual(committed ? [] : ['committed']);
    expect(await rowsOf(lake, await lake.live(table))).toEqual(before);
    await vacuum(lake.storage, table, { graceMs: 0, force: true });
    const { files } = await table.snapshot();
    expect(await filesIn(lake, table)).toEqual([...files.keys()]);
    // So that even a bare glob counts right.
    const [glob] = await lake.sql(
      `SELECT count(*) AS rows FROM read_parquet(${literal(`${root}/events/tenant=shop/segment=*/date=*/*.parquet`)})`,
    );
    expect(glob).toEqual({ rows: String(before.length) });
  });
});

describe('maintenance', () => {
  test('does everything that is due, and then nothing', async () => {
    const lake = await newLake();
    const [events, quarantine] = [lake.table('events'), lake.table('quarantine')];
    for (let commit = 0; commit < 21; commit++) {
      await lake.add(events, [{ rows: 10, from: `2026-09-${10 + (commit % 3)}T00:00:00Z`, seed: commit }]);
    }
    await lake.add(quarantine, day(3), 'quarantine');
    const before = await rowsOf(lake, await lake.live(events));
    const metrics = new Registry();
    const maintenance = await openMaintenance(options(lake, { metrics }));
    const [first, second] = await maintenance.run('shop');
    expect(first).toMatchObject({
      tenantId: 'shop',
      table: 'events',
      checkpointed: true,
      logFilesDeleted: 0,
      vacuumedFiles: 0,
    });
    expect(first!.compacted.map(({ outcome, files }) => [outcome, files])).toEqual([
      ['committed', 7],
      ['committed', 7],
      ['committed', 7],
    ]);
    expect(second!.compacted).toMatchObject([{ outcome: 'committed', files: 3, rows: 180 }]);
    expect(await rowsOf(lake, await lake.live(events))).toEqual(before);
    expect((await events.snapshot()).files.size).toBe(3);
    expect((await maintenance.run('shop')).map(({ compacted, checkpointed }) => [compacted, checkpointed])).toEqual([
      [[], false],
      [[], false],
    ]);
    expect(await maintenance.run('nobody')).toMatchObject([{ compacted: [] }, { compacted: [] }]);
    const text = await metrics.metrics();
    expect(text).toContain('spor_maintenance_compactions_total{table="events",outcome="committed"} 3');
    expect(text).toContain('spor_maintenance_compacted_files_total{table="quarantine"} 3');
  });

  test('keeps up beside those who append, cleans logs and vacuums in time, and ends when told to', async () => {
    const lake = await newLake();
    const tables = ['one', 'two'].map((tenantId) => lake.table('events', tenantId));
    let clock = Date.now();
    const now = (): number => clock;
    const maintenance = await openMaintenance(
      options(lake, {
        now,
        present: () => Promise.resolve(clock),
        keepEntries: 0,
        share: 0.5,
        logRetentionMs: 3_600_000,
        vacuumGraceMs: 3_600_000,
      }),
    );
    const stop = new AbortController();
    const running = maintenance.keepUp(() => ['one', 'two', 'not-yet'], stop.signal);
    for (let round = 0; round < 3; round++) {
      for (const table of tables) await lake.add(table, day(3, `2026-09-0${round + 1}`));
      clock += 3_600_000;
      await until(async () =>
        (
          await Promise.all(
            tables.map(
              async (table) => (await lake.table('events', table.spec.root.split('=')[1]).snapshot()).files.size,
            ),
          )
        ).every((files) => files === round + 1),
      );
    }
    for (const table of tables) await table.checkpoint();
    // Two days on, what was replaced is deleted, and the log starts at its checkpoint.
    clock += 48 * 3_600_000;
    const entriesOf = async (table: Table): Promise<number> => {
      const names = await readdir(lake.storage.localPath(`${table.spec.root}/_delta_log`)!);
      return names.filter((name) => name.endsWith('.json')).length;
    };
    // A round that began before the clock moved may vacuum by the new time and clean the log by the old one.
    for (const table of tables)
      await until(async () => (await filesIn(lake, table)).length === 3 && (await entriesOf(table)) < 7);
    stop.abort();
    await running;
    for (const table of tables) {
      const rows = await rowsOf(lake, await lake.live(table));
      expect(rows).toHaveLength(3 * 3 * 60);
      expect(await entriesOf(table)).toBeLessThan(7);
    }
  });

  test('a file that cannot be read does not keep the others from their turn', async () => {
    const lake = await newLake();
    const table = lake.table();
    const bad = await lake.add(table, day(12, '2026-09-01'));
    await lake.add(table, day(3, '2026-09-02'));
    await lake.storage.delete([`${table.spec.root}/${bad[0]!.path}`]);
    const maintenance = await openMaintenance(options(lake));
    const [report] = await maintenance.run('shop');
    expect(report!.compacted.map(({ outcome, date }) => [outcome, date])).toEqual([
      ['failed', '2026-09-01'],
      ['committed', '2026-09-02'],
    ]);
    expect((await table.snapshot()).files.size).toBe(13);
  });
});

describe('the command line', () => {
  test('compacts and vacuums some tenants or all of them', async () => {
    const lake = await newLake();
    const tenants = ['a', 'a-b', 'a0', 'zz'];
    for (const tenantId of tenants) await lake.add(lake.table('events', tenantId), day(4));
    await lake.add(lake.table('quarantine', 'only-refused'), day(2), 'quarantine');
    expect(await listTenants(lake.storage)).toEqual([...tenants, 'only-refused'].sort());
    const { storage } = lake;
    const shared = { storage, registry: REGISTRY, log: SILENT };
    const compactOptions = {
      ...shared,
      workDir: lake.workDir,
      memoryMb: 512,
      threads: 1,
      logRetentionMs: 24 * 3_600_000,
    };
    const one = await compactLake({ ...compactOptions, tenantIds: ['a-b'] });
    expect(one.map(({ tenantId, table, compacted }) => [tenantId, table, compacted.length])).toEqual([
      ['a-b', 'events', 1],
      ['a-b', 'quarantine', 0],
    ]);
    const seen: string[] = [];
    const all = await compactLake({
      ...compactOptions,
      tenantIds: undefined,
      onTable: ({ tenantId }) => void seen.push(tenantId),
    });
    expect(all.flatMap(({ compacted }) => compacted.map(({ outcome }) => outcome))).toEqual(
      Array.from({ length: 4 }, () => 'committed'),
    );
    expect(new Set(seen)).toEqual(new Set([...tenants, 'only-refused']));

    const kept = await vacuumLake({ ...shared, tenantIds: undefined, graceMs: 168 * 3_600_000 });
    expect(kept.map(({ deletedFiles, young }) => [deletedFiles, young]).filter(([, young]) => young! > 0)).toHaveLength(
      5,
    );
    const dryRun = await vacuumLake({ ...shared, tenantIds: undefined, graceMs: 0, force: true, dryRun: true });
    expect(dryRun.reduce((sum, { doomed }) => sum + doomed.length, 0)).toBe(18);
    const deleted = await vacuumLake({ ...shared, tenantIds: undefined, graceMs: 0, force: true });
    expect(deleted.reduce((sum, { deletedFiles }) => sum + deletedFiles, 0)).toBe(18);
    for (const tenantId of tenants)
      expect(await rowsOf(lake, await lake.live(lake.table('events', tenantId)))).toHaveLength(240);
    await expect(vacuumLake({ ...shared, tenantIds: ['a'], graceMs: 60_000 })).rejects.toBeInstanceOf(RangeError);
  });
});

test.skipIf(s3Why !== '')(`in S3: compaction, checkpoints, log cleanup and vacuum ${s3Why}`, async () => {
  const lake = await newLake(async () => {
    if ('unavailable' in s3) throw new Error(s3.unavailable);
    return openStorage(`s3://${s3.bucket}/maintenance`, s3.config);
  });
  const table = lake.table();
  for (let commit = 0; commit < 21; commit++) {
    await lake.add(table, [{ rows: 20, from: '2026-09-10T00:00:00Z', seed: commit }]);
  }
  const before = await rowsOf(lake, await lake.live(table));
  const maintenance = await openMaintenance(options(lake));
  const [report] = await maintenance.run('shop');
  expect(report).toMatchObject({ checkpointed: true, compacted: [{ outcome: 'committed', files: 21 }] });
  expect(await rowsOf(lake, await lake.live(table))).toEqual(before);
  const opened = await lake.table().snapshot();
  expect(opened).toMatchObject({ version: 21, checkpoint: 21 });
  expect(opened.files.size).toBe(1);
  const later = await openMaintenance(
    options(lake, { present: () => Promise.resolve(Date.now() + 25 * 3_600_000), keepEntries: 0 }),
  );
  expect((await later.run('shop'))[0]).toMatchObject({ logFilesDeleted: 21 });
  expect((await lake.table().snapshot()).files).toEqual(opened.files);
  expect((await lake.table().tombstones()).size).toBe(21);
  expect(await vacuum(lake.storage, lake.table(), { graceMs: 0, force: true })).toMatchObject({
    deletedFiles: 21,
    live: 1,
  });
  expect(await rowsOf(lake, await lake.live(table))).toEqual(before);
  expect(await listTenants(lake.storage)).toEqual(['shop']);
});

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { duckdbCheckpoints } from '../../../lake/delta/checkpointParquet.ts';
import { openMaintenance } from '../../../lake/maintenance/maintenance.ts';
import { planExpiry } from '../../../lake/maintenance/retention.ts';
import { vacuum } from '../../../lake/maintenance/vacuum.ts';
import { runSpor } from '../../support/runScript.ts';
import { createLake, rowsOf, SILENT, type TestLake } from './fixture.ts';
import { readState } from './independentLog.ts';
import { DAY_MS, utcDay } from '../../../runtime/units.ts';

let lake: TestLake;
afterEach(() => lake.close());

const daysAgo = (days: number): string => utcDay(Date.now() - days * DAY_MS);

test('days whose time is over leave events and quarantine in one commit each, and the disk with vacuum', async () => {
  lake = await createLake();
  const [events, quarantine, other] = [lake.table(), lake.table('quarantine'), lake.table('events', 'other')];
  const days = [daysAgo(40), daysAgo(31), daysAgo(30), daysAgo(0)];
  const rows = days.map((date, seed) => ({ rows: 10 * (seed + 1), from: `${date}T10:00:00Z`, seed }));
  await lake.add(events, [...rows, { rows: 5, from: `${days[0]}T11:00:00Z`, seed: 9, segment: 'app' }]);
  await lake.add(quarantine, rows.slice(1), 'quarantine');
  await lake.add(other, rows);
  const env = { LAKE_URL: `file:${join(lake.dir, 'lake')}` };
  const spor = (...args: string[]) => runSpor(['retention', ...args], { env, cwd: lake.dir });
  expect(await spor('set', '--tenant', 'shop', '--days', '30')).toMatchObject({ code: 0 });
  expect((await spor('set', '--tenant', 'shop')).code).toBe(2);
  expect(JSON.parse((await spor('show', '--json')).stdout)).toEqual([
    { tenantId: 'other', days: null },
    { tenantId: 'shop', days: 30 },
  ]);

  const { storage, engine, workDir, table } = lake;
  const options = { storage, engine, workDir, table, checkpoints: duckdbCheckpoints(), log: SILENT, share: 1 };
  const maintenance = await openMaintenance({ ...options, logRetentionMs: DAY_MS, vacuumGraceMs: undefined });
  const before = (await lake.table().snapshot()).version;
  const [report, refused] = await maintenance.run('shop');
  expect([report!.expiredFiles, refused!.expiredFiles]).toEqual([3, 1]);
  expect((await maintenance.run('other'))[0]!.expiredFiles).toBe(0);
  expect((await maintenance.run('shop'))[0]!.expiredFiles).toBe(0);

  const left = await rowsOf(lake, await lake.live(events));
  expect(left).toHaveLength(30 + 40);
  expect(await rowsOf(lake, await lake.live(other))).toHaveLength(100);
  const log = join(lake.dir, 'lake/events/tenant=shop/_delta_log');
  const entry = await readFile(join(log, `${String(before + 1).padStart(20, '0')}.json`), 'utf8');
  const actions = entry
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, Record<string, unknown>>);
  expect(actions.filter(({ remove }) => remove).map(({ remove }) => remove!.dataChange)).toEqual([true, true, true]);
  expect(actions[0]!.commitInfo!.days).toEqual({ [days[0]!]: { expired: 15 }, [days[1]!]: { expired: 20 } });
  // The property outlives a checkpoint and a commit of a writer that knows nothing of it.
  await lake.table().checkpoint();
  await lake.add(lake.table(), [{ rows: 1, from: `${days[1]}T10:00:00Z`, seed: 20 }]);
  expect((await maintenance.run('shop'))[0]!.expiredFiles).toBe(1);

  await vacuum(storage, lake.table(), { graceMs: 0, force: true, present: () => Promise.resolve(Date.now() + 1_000) });
  const onDisk: string[] = [];
  for await (const { path } of storage.list('events/tenant=shop/segment=')) onDisk.push(path.split('/')[3]!);
  expect(onDisk).toEqual([`date=${days[2]}`, `date=${days[3]}`]);
  expect((await readState(join(lake.dir, 'lake/events/tenant=shop'))).files.size).toBe(2);
});

test('a day is kept until it lies wholly beyond', () => {
  const file = (date: string | null) => ({
    path: `${date}.parquet`,
    partitionValues: { date },
    size: 1,
    modificationTime: 0,
    dataChange: true,
  });
  const files = new Map(['2026-11-21', '2026-11-22', '2026-11-23', null].map((date) => [String(date), file(date)]));
  const now = Date.parse('2026-11-24T23:59:59Z');
  expect(planExpiry({ files }, 2, now).map(({ path }) => path)).toEqual(['2026-11-21.parquet']);
});

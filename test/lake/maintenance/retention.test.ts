import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import { duckdbCheckpoints } from '../../../lake/delta/checkpointParquet.ts';
import { openMaintenance } from '../../../lake/maintenance/maintenance.ts';
import { datesOf, planExpiry, setRetention, type ExpiryStep } from '../../../lake/maintenance/retention.ts';
import { vacuum } from '../../../lake/maintenance/vacuum.ts';
import { runSpor } from '../../support/runScript.ts';
import { createLake, rowsOf, SILENT, type TestLake } from './fixture.ts';
import { readState } from './independentLog.ts';
import { DAY_MS, utcDay } from '../../../runtime/units.ts';

let lake: TestLake;
afterEach(async () => {
  vi.useRealTimers();
  await lake?.close();
});

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

test('a day is kept until it lies wholly beyond, and at most one new date goes a day', () => {
  const now = Date.parse('2026-11-24T23:59:59Z');
  const dates = ['2026-11-23', '2026-11-21', '2026-11-22', '2026-11-10', '2026-11-21'];
  const plan = (step?: ExpiryStep, days = 2) => planExpiry({ days, step }, dates, now);
  const on = '2026-11-24';
  // The first step takes the oldest date, and so does each later one, over days without data.
  expect(plan()).toEqual({ before: '2026-11-11', claim: { before: '2026-11-11', on }, waiting: 1 });
  const step = { before: '2026-11-11', on: '2026-11-23' };
  expect(plan(step)).toEqual({ before: '2026-11-22', claim: { before: '2026-11-22', on }, waiting: 0 });
  // What was due before stays due. A second step waits for the next day, and for a day that a clock ahead recorded.
  for (const later of [on, '2036-01-01'])
    expect(plan({ ...step, on: later })).toEqual({ before: '2026-11-11', claim: undefined, waiting: 1 });
  expect(plan({ before: '2026-11-22', on: '2026-11-01' })).toEqual({
    before: '2026-11-22',
    claim: undefined,
    waiting: 0,
  });
  // A limit that no step can pass.
  expect(plan({ before: '2036-01-01', on }).before).toBe('2026-11-22');
});

test('a host years ahead expires nothing, all clocks ahead one date a day, and an undo restores it', async () => {
  lake = await createLake();
  const events = lake.table();
  const days = [40, 20, 10, 0].map(daysAgo);
  await lake.add(
    events,
    days.map((date, seed) => ({ rows: 10, from: `${date}T10:00:00Z`, seed })),
  );
  await setRetention(events, 30, Date.now());
  const { storage, engine, workDir, table } = lake;
  const options = { storage, engine, workDir, table, checkpoints: duckdbCheckpoints(), log: SILENT, share: 1 };
  const run = async () =>
    (await (await openMaintenance({ ...options, logRetentionMs: DAY_MS, vacuumGraceMs: undefined })).run('shop'))[0]!;
  const live = async (): Promise<string[]> => datesOf(await lake.table().snapshot()).sort();
  const ahead = 3_650 * DAY_MS;
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + ahead });
  const refused = await run();
  expect([refused.expiredFiles, refused.refused]).toEqual([0, expect.stringContaining('clocks differ') as string]);
  expect(await live()).toEqual(days);
  vi.useRealTimers();
  expect((await run()).expiredFiles).toBe(1);

  // One machine has all three clocks.
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + ahead });
  const real = storage.now.bind(storage);
  storage.now = async () => (await real()) + ahead;
  expect([(await run()).expiredFiles, (await run()).expiredFiles]).toEqual([1, 0]);
  expect(await live()).toEqual(days.slice(2));
  vi.useRealTimers();
  storage.now = real;
  expect((await run()).expiredFiles).toBe(0);

  const env = { LAKE_URL: `file:${join(lake.dir, 'lake')}`, NATS_URL: 'nats://127.0.0.1:1' };
  const spor = (...args: string[]) =>
    runSpor(['retention', ...args, '--tenant', 'shop', '--json'], { env, cwd: lake.dir });
  const undone = await spor('undo');
  expect([undone.code, JSON.parse(undone.stdout)]).toEqual([
    0,
    { tenantId: 'shop', tables: [{ table: 'events', restored: days.slice(0, 2), gone: [] }, expect.anything()] },
  ]);
  expect(await rowsOf(lake, await lake.live(lake.table()))).toHaveLength(40);
  expect((await run()).expiredFiles).toBe(0); // kept for ever now
});

test('a step that a clock ahead recorded takes no day, neither of the events nor of the quarantine', async () => {
  lake = await createLake();
  const [events, quarantine] = [lake.table(), lake.table('quarantine')];
  const rows = [10, 0].map((days, seed) => ({ rows: 1, from: `${daysAgo(days)}T10:00:00Z`, seed }));
  await lake.add(events, rows);
  await lake.add(quarantine, rows, 'quarantine');
  await setRetention(events, 30, Date.now() + 3_650 * DAY_MS);
  const { storage, engine, workDir, table } = lake;
  const options = { storage, engine, workDir, table, checkpoints: duckdbCheckpoints(), log: SILENT, share: 1 };
  const maintenance = await openMaintenance({ ...options, logRetentionMs: DAY_MS, vacuumGraceMs: undefined });
  const reports = await maintenance.run('shop');
  expect(reports.map(({ expiredFiles }) => expiredFiles)).toEqual([0, 0]);
});

test('a retention that would leave no day is refused unless forced', async () => {
  lake = await createLake();
  await lake.add(lake.table(), [{ rows: 10, from: `${daysAgo(90)}T10:00:00Z`, seed: 1 }]);
  const env = { LAKE_URL: `file:${join(lake.dir, 'lake')}`, NATS_URL: 'nats://127.0.0.1:1' };
  const set = (...more: string[]) =>
    runSpor(['retention', 'set', '--tenant', 'shop', '--days', '30', ...more], {
      env,
      cwd: lake.dir,
    });
  const refused = await set();
  expect([refused.code, refused.stderr]).toEqual([
    1,
    expect.stringContaining(`its newest day is ${daysAgo(90)}`) as string,
  ]);
  expect(await set('--force')).toMatchObject({ code: 0, stdout: expect.stringContaining('30 days') as string });
});

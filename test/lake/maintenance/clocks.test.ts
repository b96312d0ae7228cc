import { utimes } from 'node:fs/promises';
import { afterEach, expect, test, vi } from 'vitest';
import { Registry } from 'prom-client';
import { duckdbCheckpoints } from '../../../lake/delta/checkpointParquet.ts';
import { compact } from '../../../lake/maintenance/compact.ts';
import { openMaintenance } from '../../../lake/maintenance/maintenance.ts';
import { planCompaction } from '../../../lake/maintenance/plan.ts';
import { vacuum } from '../../../lake/maintenance/vacuum.ts';
import { clockDifference } from '../../../lake/storage/agreedTime.ts';
import { openLocalStorage } from '../../../lake/storage/local.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../../../runtime/units.ts';
import { createLake, SILENT, type TestLake } from './fixture.ts';

const YEARS = 3_650 * DAY_MS;
let lake: TestLake;
afterEach(async () => {
  vi.useRealTimers();
  await lake?.close();
});

/** Sets this host's clock, and nothing else. */
function setHostOffBy(ms: number): void {
  vi.useRealTimers();
  if (ms !== 0) vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + ms });
}

/** Gives a table's data files an age, as the store says it. */
async function ageFiles(paths: Iterable<string>, hours: number): Promise<void> {
  vi.useRealTimers();
  const when = new Date(Date.now() - hours * HOUR_MS);
  for (const path of paths) await utimes(lake.storage.localPath(`events/tenant=shop/${path}`)!, when, when);
}

const files = (count: number) =>
  Array.from({ length: count }, (_, seed) => ({ rows: 10, from: '2026-09-10T00:00:00Z', seed }));

test.each([YEARS, -YEARS, 0])(
  'a writer whose clock is %d ms off commits no file that vacuum has deleted, and is not held up by its guard',
  async (offMs) => {
    lake = await createLake();
    const { storage, engine, workDir } = lake;
    const table = lake.table();
    await lake.add(table, files(3));
    setHostOffBy(offMs);
    const run = async () => {
      const [job] = planCompaction(await table.snapshot(), await storage.now());
      const reach = (): void => {};
      const rest = { rowsAtOnce: 1_000, log: SILENT, reach, signal: new AbortController().signal };
      return compact(job!, { storage, table, name: 'events', engine, workDir, ...rest });
    };
    // Stopped between the upload and the commit, for longer than the grace time.
    const put = storage.putIfAbsent.bind(storage);
    let deleted: number | undefined;
    storage.putIfAbsent = async (path, body) => {
      if (deleted === undefined && path.includes('_delta_log')) {
        deleted = 0;
        const later = (await storage.now()) + 2 * HOUR_MS;
        const report = await vacuum(storage, lake.table(), { graceMs: HOUR_MS, present: () => Promise.resolve(later) });
        deleted = report.deletedFiles;
      }
      return put(path, body);
    };
    expect([(await run()).outcome, deleted]).toEqual(['abandoned', 1]);
    // A guard an hour old holds up nobody.
    storage.now = () => Promise.resolve(Date.now() - (offMs === 0 ? 0 : offMs) + 2 * HOUR_MS);
    expect((await run()).outcome).toBe('committed');
  },
);

test.each([YEARS, -YEARS])(
  'a file replaced by a host %d ms off stays for the grace time, and no longer',
  async (offMs) => {
    lake = await createLake();
    const table = lake.table();
    const [file] = await lake.add(table, files(1));
    await ageFiles([file!.path], 24 * 60);
    setHostOffBy(offMs);
    const { files: live } = await table.snapshot();
    const unusedSinceMs = await lake.storage.now();
    await table.replace({ remove: [...live.values()], add: [], dataChange: true, unusedSinceMs, info: {} });
    vi.useRealTimers();
    expect(await vacuum(lake.storage, lake.table(), { graceMs: 24 * HOUR_MS })).toMatchObject({
      young: 1,
      deletedFiles: 0,
    });
    const tomorrow = Date.now() + 25 * HOUR_MS;
    const options = { graceMs: 24 * HOUR_MS, present: () => Promise.resolve(tomorrow) };
    expect(await vacuum(lake.storage, lake.table(), options)).toMatchObject({ deletedFiles: 1 });
  },
);

test('a host years ahead compacts and deletes nothing, says so once, and counts it', async () => {
  lake = await createLake();
  const { storage, engine, workDir, table } = lake;
  await lake.add(lake.table(), files(3));
  await lake.table().checkpoint();
  const said: unknown[] = [];
  const log = Object.assign(Object.create(SILENT) as typeof SILENT, { error: (line: unknown) => void said.push(line) });
  const metrics = new Registry();
  const options = { storage, engine, workDir, table, checkpoints: duckdbCheckpoints(), log, share: 1, metrics };
  setHostOffBy(YEARS);
  const maintenance = await openMaintenance({ ...options, logRetentionMs: HOUR_MS, vacuumGraceMs: undefined });
  const [report] = await maintenance.run('shop');
  expect(report).toMatchObject({ compacted: [{ outcome: 'committed' }], logFilesDeleted: 0 });
  expect(report!.refused).toMatch(/^The clocks differ by more than 15 minutes: host 203\d-.*store 20/);
  await maintenance.run('shop');
  expect(said).toEqual([expect.objectContaining({ code: 'clocks_differ', step: 'log_cleanup' })]);
  expect(await metrics.metrics()).toContain('spor_maintenance_refused_total{step="log_cleanup"} 2');
});

test('clocks agree within 15 minutes; a difference names each of them', () => {
  const at = Date.parse('2026-11-30T12:00:00Z');
  expect(clockDifference({ host: at, store: at - 15 * MINUTE_MS })).toBeUndefined();
  expect(clockDifference({ host: at, store: at, stream: at + 15 * MINUTE_MS + 1 })).toBe(
    'host 2026-11-30T12:00:00.000Z, store 2026-11-30T12:00:00.000Z, stream 2026-11-30T12:15:00.001Z',
  );
  expect(clockDifference({ host: -1, store: 9e15 })).toBe('host 1969-12-31T23:59:59.999Z, store 9000000000000000');
});

test('opening a lake with a clock years ahead leaves the unfinished writes of others alone', async () => {
  lake = await createLake();
  const { writeFile, access } = await import('node:fs/promises');
  const unfinished = lake.storage.localPath('.staging/of-another')!;
  await writeFile(unfinished, 'half');
  setHostOffBy(YEARS);
  (await openLocalStorage(lake.storage.localPath('x')!.slice(0, -2))).close();
  await access(unfinished);
  const old = new Date(Date.now() - YEARS - 2 * DAY_MS);
  await utimes(unfinished, old, old);
  (await openLocalStorage(lake.storage.localPath('x')!.slice(0, -2))).close();
  await expect(access(unfinished)).rejects.toThrow();
});

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { AddFile } from '../../../lake/delta/actions.ts';
import { NO_TABLE, type Snapshot } from '../../../lake/delta/snapshot.ts';
import { checkpointDue } from '../../../lake/maintenance/checkpoints.ts';
import { COMPACTION, partitionState, planCompaction, type CompactionJob } from '../../../lake/maintenance/plan.ts';
import { MIB } from '../../../runtime/units.ts';

const NOW = Date.parse('2026-11-23T12:00:00Z');
let names = 0;

function file(date: string, size: number, segment = 'web'): AddFile {
  const sequence = names++;
  return {
    path: `segment=${segment}/date=${date}/EVENTS_0-${sequence}-${sequence}-x.parquet`,
    partitionValues: { segment, date },
    size,
    modificationTime: 0,
    dataChange: true,
  };
}

function files(count: number, date: string, size: number, segment?: string): AddFile[] {
  return Array.from({ length: count }, () => file(date, size, segment));
}

function snapshot(of: readonly AddFile[]): Snapshot {
  return { ...NO_TABLE, version: 1, files: new Map(of.map((one) => [one.path, one])) };
}

function plan(of: readonly AddFile[], now = NOW): CompactionJob[] {
  return planCompaction(snapshot(of), now);
}

describe('what is compacted', () => {
  test('days that are over come before the open one, and those with more files first', () => {
    const jobs = plan([
      ...files(40, '2026-11-23', 1_000),
      ...files(3, '2026-11-21', 1_000),
      ...files(5, '2026-11-22', 1_000, 'app'),
      ...files(2, '2026-09-01', 1_000),
    ]);
    expect(jobs.map(({ segment, date, state, files }) => [segment, date, state, files.length])).toEqual([
      ['app', '2026-11-22', 'closed', 5],
      ['web', '2026-11-21', 'closed', 3],
      ['web', '2026-09-01', 'sealed', 2],
      ['web', '2026-11-23', 'open', 40],
    ]);
  });

  test('files that are held are left alone until then', () => {
    const held = files(2, '2026-11-21', 1_000).map((one) => ({ ...one, tags: { 'spor.heldUntil': String(NOW + 1) } }));
    expect(plan([...held, ...files(1, '2026-11-21', 1_000)])).toEqual([]);
    expect(plan([...held, ...files(2, '2026-11-21', 1_000)]).map((job) => job.files.length)).toEqual([2]);
    expect(plan(held, NOW + 1)).toHaveLength(1);
  });

  test('a day counts as open until an hour after midnight, and as closed until events for it are too late', () => {
    const at = (time: string) => partitionState('2026-11-22', Date.parse(time), COMPACTION);
    expect(at('2026-11-22T00:00:00Z')).toBe('open');
    expect(at('2026-11-23T01:00:00Z')).toBe('open');
    expect(at('2026-11-23T01:00:01Z')).toBe('closed');
    expect(at('2026-12-25T00:00:00Z')).toBe('closed');
    expect(at('2026-12-25T00:00:01Z')).toBe('sealed');
    expect(partitionState('2026-11-24', NOW, COMPACTION)).toBe('open');
  });

  test('an open day waits for 32 files of a kind; sizes of different kinds are not mixed', () => {
    expect(plan(files(31, '2026-11-23', 20_000))).toEqual([]);
    expect(plan(files(32, '2026-11-23', 20_000))).toHaveLength(1);
    expect(plan([...files(31, '2026-11-23', 20_000), ...files(31, '2026-11-23', 2_000_000)])).toEqual([]);
    const [job, ...others] = plan([...files(32, '2026-11-23', 20_000), ...files(31, '2026-11-23', 2_000_000)]);
    expect(others).toEqual([]);
    expect(job!.bytes).toBe(640_000);
  });

  test('of a closed day a large file is rewritten only when the smaller ones are a quarter of it', () => {
    const large = file('2026-11-20', 50 * MIB);
    expect(plan([large, ...files(2, '2026-11-20', MIB)]).map(({ bytes }) => bytes)).toEqual([2 * MIB]);
    expect(plan([large, file('2026-11-20', MIB)])).toEqual([]);
    expect(plan([large, ...files(13, '2026-11-20', MIB)]).map(({ bytes }) => bytes)).toEqual([63 * MIB]);
    expect(plan([file('2026-11-20', 1_000), ...files(50, '2026-11-20', 100_000)])[0]!.files).toHaveLength(51);
  });

  test('of a sealed day everything is merged that is not finished', () => {
    const jobs = plan([file('2026-09-01', 50 * MIB), file('2026-09-01', 1_000), file('2026-09-01', 130 * MIB)]);
    expect(jobs.map(({ bytes }) => bytes)).toEqual([50 * MIB + 1_000]);
    expect(plan([file('2026-09-01', 50 * MIB)])).toEqual([]);
  });

  test('finished files, those of other tools without partition values, and single files are left alone', () => {
    const foreign = files(5, '2026-11-20', 1_000).map((one) => ({ ...one, partitionValues: {} }));
    expect(plan([...files(9, '2026-11-20', 128 * MIB), ...foreign, file('2026-11-21', 1)])).toEqual([]);
  });

  test('files that came only just now are left alone where that is asked for', () => {
    const day = files(4, '2026-11-20', 1_000).map((one, index) => ({ ...one, modificationTime: NOW - index * 60_000 }));
    const jobs = planCompaction(snapshot(day), NOW, { ...COMPACTION, settledAfterMs: 120_000 });
    expect(jobs.map(({ files: chosen }) => chosen)).toEqual([day.slice(2)]);
    expect(plan(day)[0]!.files).toHaveLength(4);
  });

  test('a large day becomes even jobs, in the order of arrival, within the limits', () => {
    const day = files(100, '2026-11-20', 10 * MIB);
    const jobs = plan(day.toSorted((a, b) => (a.path > b.path ? 1 : -1)));
    expect(jobs.map(({ files }) => files.length)).toEqual([20, 20, 20, 20, 20]);
    const inOrder = jobs.map((job) => job.files.map(({ path }) => day.findIndex((one) => one.path === path)));
    expect(inOrder.sort((a, b) => a[0]! - b[0]!).flat()).toEqual(day.keys().toArray());
    expect(plan(files(5_000, '2026-11-20', 100)).every(({ files }) => files.length <= COMPACTION.jobFiles)).toBe(true);
  });
});

/** Carries a plan out on paper: the files that take the place of a job's, half as large for better compression. */
function carryOut(of: AddFile[], jobs: CompactionJob[], shrink = 0.7): { files: AddFile[]; rewritten: number } {
  const gone = new Set(jobs.flatMap((job) => job.files.map(({ path }) => path)));
  const merged = jobs.map(({ date, segment, bytes }) => file(date, Math.max(1, Math.round(bytes * shrink)), segment));
  return {
    files: [...of.filter(({ path }) => !gone.has(path)), ...merged],
    rewritten: jobs.reduce((sum, { bytes }) => sum + bytes, 0),
  };
}

describe('over time', () => {
  test('any day comes to rest; no job names a file twice; a sealed day ends with one unfinished file for each 128 MiB', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 300 * MIB }), { maxLength: 200 }), (sizes) => {
        let day = sizes.map((size) => file('2026-08-01', size));
        for (let round = 0; ; round++) {
          const jobs = plan(day);
          const named = jobs.flatMap((job) => job.files.map(({ path }) => path));
          expect(new Set(named).size).toBe(named.length);
          if (jobs.length === 0) break;
          expect(round).toBeLessThan(20);
          expect(jobs.every(({ bytes }) => bytes <= COMPACTION.jobBytes + COMPACTION.finishedBytes)).toBe(true);
          day = carryOut(day, jobs).files;
        }
        const unfinished = day.filter(({ size }) => size < COMPACTION.finishedBytes);
        const bytes = unfinished.reduce((sum, { size }) => sum + size, 0);
        expect(unfinished.length).toBeLessThanOrEqual(1 + Math.ceil(bytes / COMPACTION.finishedBytes) * 2);
      }),
      { numRuns: 200 },
    );
  });

  test('a day with a file every second is rewritten a few times, and never has many files', () => {
    let day: AddFile[] = [];
    let most = 0;
    let rewritten = 0;
    const turn = (now: number): void => {
      const done = carryOut(day, plan(day, now), 1);
      day = done.files;
      rewritten += done.rewritten;
    };
    const midnight = Date.parse('2026-11-23T00:00:00Z');
    for (let second = 0; second < 86_400; second++) {
      day.push(file('2026-11-23', 20_000 + (second % 7) * 3_000));
      if (second % 30 === 0) turn(midnight + second * 1_000);
      most = Math.max(most, day.length);
    }
    const bytes = day.reduce((sum, { size }) => sum + size, 0);
    for (let round = 0; round < 5; round++) turn(midnight + 2 * 86_400_000);
    process.stdout.write(
      `a day of 86,400 files: at most ${most} at once, ${day.length} at last, each byte rewritten ${(rewritten / bytes).toFixed(1)} times\n`,
    );
    expect(most).toBeLessThan(300);
    expect(rewritten / bytes).toBeLessThan(8);
    expect(day.length).toBeLessThan(40);
  });
});

test('a checkpoint is due every 20 commits, less often for a table of many files', () => {
  expect(checkpointDue({ commits: 19, rows: 0 })).toBe(false);
  expect(checkpointDue({ commits: 20, rows: 400 })).toBe(true);
  expect(checkpointDue({ commits: 20, rows: 10_000 })).toBe(false);
  expect(checkpointDue({ commits: 500, rows: 10_000 })).toBe(true);
  expect(checkpointDue({ commits: 1_000, rows: 1_000_000 })).toBe(true);
});

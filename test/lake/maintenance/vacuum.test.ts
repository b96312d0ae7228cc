import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { afterAll, afterEach, describe, expect, test, vi } from 'vitest';
import { duckdbCheckpoints } from '../../../lake/delta/checkpointParquet.ts';
import type { NewFile } from '../../../lake/delta/commits.ts';
import { deltaTable, type Table, type TableSpec } from '../../../lake/delta/table.ts';
import { TxnConflictError } from '../../../lake/delta/txnConflict.ts';
import { cleanLog } from '../../../lake/maintenance/logCleanup.ts';
import { planVacuum, vacuum } from '../../../lake/maintenance/vacuum.ts';
import { openLocalStorage } from '../../../lake/storage/local.ts';
import type { Storage } from '../../../lake/storage/storage.ts';
import { tableSpec } from '../../../lake/layout/tables.ts';
import { REGISTRY } from './fixture.ts';
import { readState } from './independentLog.ts';

const dir = await mkdtemp(join(tmpdir(), 'spor-test-vacuum-'));
afterAll(() => rm(dir, { recursive: true, force: true }));
afterEach(() => vi.useRealTimers());

const SPEC: TableSpec = tableSpec('events', 'shop', REGISTRY);
const HOUR = 3_600_000;
const START = Date.parse('2026-11-01T00:00:00Z');
let lakes = 0;

/** A lake whose files have the time of a clock that a test sets. */
async function newLake(): Promise<{ storage: Storage; upload: (name: string) => Promise<NewFile> }> {
  vi.useFakeTimers({ toFake: ['Date'], now: START });
  const storage = await openLocalStorage(join(dir, `lake-${lakes++}`));
  storage.now = () => Promise.resolve(Date.now());
  const upload = async (name: string): Promise<NewFile> => {
    const partitionValues = { segment: 'web', date: '2026-11-01' };
    const path = `segment=web/date=2026-11-01/${name}.parquet`;
    const local = storage.localPath(`${SPEC.root}/${path}`)!;
    await mkdir(dirname(local), { recursive: true });
    await writeFile(local, name);
    await utimes(local, new Date(), new Date());
    const stats = { numRecords: 1, minValues: {}, maxValues: {}, nullCount: {} };
    return { path, size: name.length, rows: 1, partitionValues, stats };
  };
  return { storage, upload };
}

function passHours(hours: number): void {
  vi.setSystemTime(Date.now() + hours * HOUR);
}

function isThere(storage: Storage, path: string): boolean {
  return existsSync(storage.localPath(`${SPEC.root}/${path}`)!);
}

type Step =
  | { do: 'append' | 'orphan' | 'checkpoint' | 'upload' | 'commitUploads' | 'cleanLog' | 'reopen' }
  | { do: 'replace'; pick: number }
  | { do: 'bringBack'; pick: number }
  | { do: 'pass'; hours: number }
  | { do: 'vacuum'; graceHours: number };

const STEP: fc.Arbitrary<Step> = fc.oneof(
  fc.constantFrom<Step>(
    { do: 'append' },
    { do: 'append' },
    { do: 'orphan' },
    { do: 'checkpoint' },
    { do: 'upload' },
    { do: 'commitUploads' },
    { do: 'cleanLog' },
    { do: 'reopen' },
  ),
  fc.record({ do: fc.constant('replace' as const), pick: fc.nat(255) }),
  fc.record({ do: fc.constant('bringBack' as const), pick: fc.nat(255) }),
  fc.record({ do: fc.constant('pass' as const), hours: fc.constantFrom(0.1, 0.9, 2, 30) }),
  fc.record({ do: fc.constant('vacuum' as const), graceHours: fc.constantFrom(1, 24, 168) }),
);

/** What must be in the store, by a bookkeeping of its own. */
interface Book {
  /** Path → since when it has not been in use; Infinity while it is. */
  unusedSince: Map<string, number>;
}

/** Vacuums, and compares what is there afterwards with what must be. */
async function vacuumAsBooked(storage: Storage, table: Table, book: Book, graceMs: number): Promise<void> {
  const report = await vacuum(storage, table, { graceMs });
  const wrong: string[] = [];
  for (const [path, since] of book.unusedSince) {
    const kept = Date.now() - since <= graceMs;
    if (kept !== isThere(storage, path)) wrong.push(`${path} ${kept ? 'is gone' : 'is still there'}`);
    if (!kept) book.unusedSince.delete(path);
  }
  expect(wrong).toEqual([]);
  expect(report.deletedFiles).toBe(report.doomed.length);
}

async function isRefused(commit: Promise<void>): Promise<boolean> {
  try {
    await commit;
    return false;
  } catch (error) {
    if (error instanceof TxnConflictError) return true;
    throw error;
  }
}

async function live(steps: readonly Step[]): Promise<void> {
  const { storage, upload } = await newLake();
  let table = deltaTable(storage, SPEC);
  const book: Book = { unusedSince: new Map() };
  let pending: { file: NewFile; at: number }[] = [];
  const refusedAfterMs: number[] = [];
  let names = 0;
  const info = {};
  const replace = async (
    remove: readonly string[],
    add: readonly NewFile[],
    unusedSinceMs = Date.now(),
  ): Promise<void> => {
    const { files } = await table.snapshot();
    await table.replace({
      remove: remove.map((path) => files.get(path)!),
      add,
      dataChange: false,
      unusedSinceMs,
      info,
    });
    for (const path of remove) book.unusedSince.set(path, Date.now());
    for (const { path } of add) book.unusedSince.set(path, Infinity);
  };
  for (const step of [{ do: 'append' } as const, ...steps]) {
    const { files, txns } = await table.snapshot();
    switch (step.do) {
      case 'append': {
        const file = await upload(`f${names++}`);
        const expected = txns.get('app');
        await table.append({ files: [file], txn: { appId: 'app', version: (expected ?? 0) + 1, expected }, info });
        book.unusedSince.set(file.path, Infinity);
        break;
      }
      case 'orphan': {
        const { path } = await upload(`o${names++}`);
        book.unusedSince.set(path, Date.now());
        break;
      }
      case 'upload':
        pending.push({ file: await upload(`p${names++}`), at: Date.now() });
        book.unusedSince.set(pending.at(-1)!.file.path, Date.now());
        break;
      case 'commitUploads': {
        // However long a writer was stopped since: its commit stands, with every file, or is refused.
        for (const { file, at } of pending) {
          if (await isRefused(replace([], [file], at))) refusedAfterMs.push(Date.now() - at);
        }
        pending = [];
        break;
      }
      case 'replace': {
        const chosen = [...files.keys()].filter((_, index) => (step.pick >> (index % 8)) & 1);
        await replace(chosen, [await upload(`m${names++}`)]);
        break;
      }
      case 'bringBack': {
        const gone = [...(await table.tombstones())].filter(([path]) => isThere(storage, path));
        const [path, { deletionTimestamp = 0 } = {}] = gone[step.pick % gone.length] ?? [];
        const stats = { numRecords: 1, minValues: {}, maxValues: {}, nullCount: {} };
        const partitionValues = { segment: 'web', date: '2026-11-01' };
        if (path !== undefined)
          await isRefused(replace([], [{ path, size: 1, rows: 1, partitionValues, stats }], deletionTimestamp));
        break;
      }
      case 'checkpoint':
        await table.checkpoint();
        break;
      case 'cleanLog':
        await cleanLog(storage, SPEC.root, { retentionMs: HOUR, checkpoints: duckdbCheckpoints(), keepEntries: 0 });
        break;
      case 'reopen':
        table = deltaTable(storage, SPEC);
        break;
      case 'pass':
        passHours(step.hours);
        break;
      case 'vacuum': {
        await vacuumAsBooked(storage, table, book, step.graceHours * HOUR);
        break;
      }
    }
  }
  // One that is not slow never is.
  expect(refusedAfterMs.filter((ms) => ms < 0.5 * HOUR)).toEqual([]);
  const { files } = await readState(storage.localPath(SPEC.root)!);
  const inUse = [...book.unusedSince].filter(([, since]) => since === Infinity).map(([path]) => path);
  expect([...files.keys()].sort()).toEqual(inUse.sort());
  for (const path of files.keys()) expect(isThere(storage, path), path).toBe(true);
  await rm(storage.localPath(SPEC.root)!, { recursive: true });
}

describe('vacuum', () => {
  test('never removes a live file, one that may still be committed or read, or leaves one that is due: random histories', async () => {
    await fc.assert(fc.asyncProperty(fc.array(STEP, { minLength: 5, maxLength: 25 }), live), { numRuns: 60 });
  });

  test('says what it would delete, deletes just that, and leaves alone what is not a data file of ours', async () => {
    const { storage, upload } = await newLake();
    const table = deltaTable(storage, SPEC);
    const odd = await upload("100%25+,'(=)");
    const [kept, removed] = [await upload('kept'), await upload('removed')];
    await table.append({
      files: [kept, removed, odd],
      txn: { appId: 'app', version: 1, expected: undefined },
      info: {},
    });
    const { files } = await table.snapshot();
    await table.replace({
      remove: [files.get(removed.path)!],
      add: [],
      dataChange: true,
      unusedSinceMs: Date.now(),
      info: {},
    });
    const orphan = await upload('orphan');
    await upload('_hidden');
    const foreign = [
      'notes.txt',
      'segment=web/date=2026-11-01/readme.md',
      'segment=web/old.parquet',
      'segment=web/date=2026-11-01/.x.parquet',
    ];
    for (const name of foreign) await writeFile(storage.localPath(`${SPEC.root}/${name}`)!, 'mine');
    passHours(3);
    const young = await upload('young');
    const dryRun = await vacuum(storage, table, { graceMs: 2 * HOUR, dryRun: true });
    expect(dryRun).toMatchObject({
      root: SPEC.root,
      version: 1,
      live: 2,
      young: 1,
      foreign: 5,
      deletedFiles: 0,
      doomed: [
        { path: orphan.path, bytes: 6, why: 'orphan' },
        { path: removed.path, bytes: 7, why: 'removed' },
      ],
    });
    expect(await vacuum(storage, table, { graceMs: 2 * HOUR })).toMatchObject({ deletedFiles: 2, deletedBytes: 13 });
    for (const path of [odd.path, kept.path, young.path, ...foreign]) expect(isThere(storage, path), path).toBe(true);
    // The commit that says which files may be gone.
    expect(await readdir(storage.localPath(`${SPEC.root}/_delta_log`)!)).toHaveLength(3);
    expect(await vacuum(storage, table, { graceMs: 2 * HOUR })).toMatchObject({ deletedFiles: 0, doomed: [] });
  });

  test('refuses a grace time under an hour unless forced, and one beyond what tombstones tell', async () => {
    const { storage, upload } = await newLake();
    const table = deltaTable(storage, SPEC);
    const file = await upload('f');
    await table.append({ files: [file], txn: { appId: 'app', version: 1, expected: undefined }, info: {} });
    const orphan = await upload('orphan');
    passHours(0.01);
    await expect(vacuum(storage, table, { graceMs: HOUR - 1 })).rejects.toThrow(/too short.*under way/s);
    await expect(vacuum(storage, table, { graceMs: NaN, force: true })).rejects.toBeInstanceOf(RangeError);
    await expect(vacuum(storage, table, { graceMs: -1, force: true })).rejects.toBeInstanceOf(RangeError);
    await expect(vacuum(storage, table, { graceMs: 169 * HOUR })).rejects.toThrow(/known for 168 h/);
    expect(isThere(storage, orphan.path)).toBe(true);
    expect(await vacuum(storage, table, { graceMs: 0, force: true })).toMatchObject({ deletedFiles: 1 });
    expect(isThere(storage, file.path)).toBe(true);
  });

  test('does nothing where there is no table: its first commit may be under way', async () => {
    const { storage, upload } = await newLake();
    const file = await upload('first');
    passHours(500);
    const report = await vacuum(storage, deltaTable(storage, SPEC), { graceMs: HOUR });
    expect(report).toMatchObject({ version: -1, deletedFiles: 0, doomed: [] });
    expect(isThere(storage, file.path)).toBe(true);
  });

  test('sees a file that is committed while it lists, and one that is brought back before it deletes', async () => {
    const { storage, upload } = await newLake();
    const table = deltaTable(storage, SPEC);
    const [first, undone] = [await upload('first'), await upload('undone')];
    await table.append({ files: [first, undone], txn: { appId: 'app', version: 1, expected: undefined }, info: {} });
    const { files } = await table.snapshot();
    await table.replace({
      remove: [files.get(undone.path)!],
      add: [],
      dataChange: true,
      unusedSinceMs: Date.now(),
      info: {},
    });
    const late = await upload('late');
    passHours(5);
    const list = storage.list.bind(storage);
    let listed = false;
    storage.list = async function* (prefix, startAfter) {
      yield* list(prefix, startAfter);
      if (prefix !== `${SPEC.root}/` || listed) return;
      listed = true;
      await deltaTable(storage, SPEC).replace({
        remove: [],
        add: [late, undone],
        dataChange: true,
        unusedSinceMs: Date.now(),
        info: {},
      });
    };
    expect(await vacuum(storage, table, { graceMs: HOUR })).toMatchObject({ deletedFiles: 0, live: 3 });
    expect([late, undone].every(({ path }) => isThere(storage, path))).toBe(true);
  });

  test('planVacuum takes the later of removal and upload, and a removal without a time as none', () => {
    const object = (path: string, modified: number) => ({ path, size: 1, modified: new Date(modified) });
    const path = 'segment=web/date=2026-11-01/a.parquet';
    const doomed = (modified: number, deletionTimestamp?: number) => {
      const remove = { path, dataChange: false, ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }) };
      const table = { live: new Set<string>(), tombstones: new Map([[path, remove]]), olderThan: 100 };
      return planVacuum([object(path, modified)], table).doomed.length;
    };
    expect([doomed(50, 60), doomed(50, 100), doomed(120, 60), doomed(50), doomed(120)]).toEqual([1, 0, 0, 1, 0]);
  });
});

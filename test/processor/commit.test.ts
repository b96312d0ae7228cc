import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { WindowCommit, type CommitOptions } from '../../processor/commit/commit.ts';
import { LostShardError, type FilesByTable } from '../../processor/commit/intents.ts';
import { planCommits, type TableCommit } from '../../processor/commit/plan.ts';
import { recover } from '../../processor/commit/recover.ts';
import { Tables } from '../../processor/commit/tables.ts';
import type { FlushOutcome } from '../../lake/flush/outcome.ts';
import type { WrittenFile } from '../../lake/flush/parquetWriter.ts';
import type { ClosedWindow } from '../../lake/window/closedWindow.ts';
import { deltaTable } from '../../lake/delta/table.ts';
import { TxnConflictError } from '../../lake/delta/txnConflict.ts';
import { vacuum } from '../../lake/maintenance/vacuum.ts';
import { createTableCache } from '../../lake/layout/tableCache.ts';
import { openLocalStorage } from '../../lake/storage/local.ts';
import type { Storage } from '../../lake/storage/storage.ts';
import { tableSpec, type TableName } from '../../lake/layout/tables.ts';
import { createRegistry } from '../../schemas/registry.ts';

const registry = createRegistry();
const APP_ID = 'EVENTS_0@2026-11-23T00:00:00Z';
let dir: string;
let lake: Storage;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'spor-test-commit-'));
  lake = await openLocalStorage(join(dir, 'lake'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const aWindow = (firstSequence: number, lastSequence: number): ClosedWindow => ({
  dir,
  files: { events: '', batches: '', rejected: '' },
  span: { firstSequence, lastSequence, messages: 1, bytes: 1, lastStoredMs: 0 },
  lines: { batches: 1, events: 1, rejected: 0, eventLineBytes: 0, rejectedLineBytes: 0 },
  times: { storedMs: { min: 0 }, receivedMs: { min: 0, max: 0 }, redrivenMs: new Map() },
  sources: [],
  runs: [],
  tenants: new Map(
    ['t1', 't2', 't3'].map((tenantId) => [
      tenantId,
      { firstSequence, accepted: 1, unstorable: 0, quarantined: 0, days: new Map() },
    ]),
  ),
  quarantineStored: new Map(),
  traces: [],
});

let made = 0;

async function aFile(table: TableName, tenantId: string): Promise<WrittenFile> {
  const localFile = join(dir, `local-${made++}`);
  await writeFile(localFile, `content of ${localFile}`);
  const stats = { numRecords: 1, minValues: {}, maxValues: {}, nullCount: {} };
  return { table, source: { tenantId, segmentId: 'web' }, date: '2026-11-23', localFile, bytes: 20, rows: 1, stats };
}

const outcome = (
  counts: Partial<FlushOutcome['counts']> = {},
  duplicates: FlushOutcome['positions']['duplicates'] = {},
): FlushOutcome => ({
  counts: {
    accepted: 1,
    stored: 1,
    duplicate: 0,
    differing: 0,
    unstorable: 0,
    quarantined: 0,
    erased: 0,
    erasedRows: 0,
    ...counts,
  },
  positions: { duplicates, differing: {}, erasedEvents: {}, erasedRejected: {} },
  days: new Map(),
});

/** A storage that writes down what is done to it. */
function recorded(storage: Storage, effects: string[]): Storage {
  const short = (path: string): string => path.replace(/EVENTS_0-\d+-\d+-[0-9a-f]+/, '*');
  return {
    url: storage.url,
    get: (path) => storage.get(path),
    putIfAbsent: (path, body) => {
      if (path.includes('_delta_log')) effects.push(`commit ${path.split('/_delta_log')[0]}`);
      return storage.putIfAbsent(path, body);
    },
    upload: (path, file) => {
      effects.push(`upload ${short(path)}`);
      return storage.upload(path, file);
    },
    download: (path, file) => storage.download(path, file),
    list: (prefix, startAfter) => storage.list(prefix, startAfter),
    folders: (prefix) => storage.folders(prefix),
    delete: (paths) => {
      effects.push(...paths.map((path) => `delete ${short(path)}`));
      return storage.delete(paths);
    },
    has: (path) => storage.has(path),
    now: () => storage.now(),
    localPath: (path) => storage.localPath(path),
    close: () => storage.close(),
  };
}

function options(effects: string[], over: Partial<CommitOptions> = {}): CommitOptions {
  const storage = recorded(lake, effects);
  return {
    storage,
    tables: new Tables(storage, createTableCache(storage, registry), APP_ID),
    intents: {
      record: (files: FilesByTable) => {
        effects.push(`record ${Object.values(files).flat().length} files`);
        return Promise.resolve();
      },
    },
    epoch: 7,
    reach: (point) => effects.push(`at ${point}`),
    persist: (_, task) => task(),
    ...over,
  };
}

async function commitWindow(
  { span }: ClosedWindow,
  commits: readonly TableCommit[],
  own: CommitOptions,
): Promise<void> {
  const commit = new WindowCommit(commits, span.lastSequence, own);
  await commit.uploadFiles();
  await commit.commitTables();
}

const tableOf = (name: TableName, tenantId: string) => deltaTable(lake, tableSpec(name, tenantId, registry));

test('paths are recorded before the first upload, files are complete before the first commit', async () => {
  const effects: string[] = [];
  const window = aWindow(1, 9);
  const files = [await aFile('events', 't1'), await aFile('events', 't2'), await aFile('quarantine', 't2')];
  const outcomes = new Map([
    ['t1', outcome()],
    ['t2', outcome({ quarantined: 1 })],
  ]);
  await commitWindow(window, planCommits('EVENTS_0', window, { files, outcomes }), options(effects));
  const before = [
    'record 3 files',
    'at before-upload',
    'upload events/tenant=t1/segment=web/date=2026-11-23/*.parquet',
    'upload events/tenant=t2/segment=web/date=2026-11-23/*.parquet',
    'upload quarantine/tenant=t2/segment=web/date=2026-11-23/*.parquet',
    'at after-upload',
  ];
  expect(effects.slice(0, before.length)).toEqual(before);
  expect(effects.at(-1)).toBe('at after-commit');
  // Commits run side by side, those of quarantines before the others: each is in the log before its own step.
  const commits = effects.slice(before.length, -1);
  expect(commits.toSorted()).toEqual([
    'at after-first-commit',
    'at after-first-commit',
    'at after-first-commit',
    'commit events/tenant=t1',
    'commit events/tenant=t2',
    'commit quarantine/tenant=t2',
  ]);
  for (let end = 1; end <= commits.length; end++) {
    const steps = commits.slice(0, end).filter((effect) => effect.startsWith('at ')).length;
    expect(steps).toBeLessThanOrEqual(end - steps);
  }
  const { txns } = await tableOf('quarantine', 't2').snapshot();
  expect(txns.get(APP_ID)).toBe(9);
});

test.each([
  ['set aside', { accepted: 2, unstorable: 1, quarantined: 1 }],
  ['rejected', { accepted: 2, stored: 2, quarantined: 1 }],
])('events that are %s are in the quarantine before the events table says it has had them', async (_, counts) => {
  const effects: string[] = [];
  const window = aWindow(1, 9);
  const files = [await aFile('events', 't1'), await aFile('quarantine', 't1')];
  const outcomes = new Map([['t1', outcome(counts)]]);
  await commitWindow(window, planCommits('EVENTS_0', window, { files, outcomes }), options(effects));
  expect(effects.slice(effects.indexOf('at after-upload') + 1)).toEqual([
    'commit quarantine/tenant=t1',
    'at after-first-commit',
    'commit events/tenant=t1',
    'at after-first-commit',
    'at after-commit',
  ]);
});

test('a window of nothing but duplicates is committed too, with their number', async () => {
  const window = aWindow(1, 9);
  const outcomes = new Map([['t1', outcome({ stored: 0, duplicate: 1 }, { r: '0' })]]);
  await commitWindow(window, planCommits('EVENTS_0', window, { files: [], outcomes }), options([]));
  const { txns, files } = await tableOf('events', 't1').snapshot();
  expect([txns.get(APP_ID), files.size]).toEqual([9, 0]);
});

test('once fenced, the owner before commits nothing, and takes its files away', async () => {
  const effects: string[] = [];
  const old = options(effects, { epoch: 7 });
  await old.tables.load('t1');
  const window = aWindow(1, 9);
  const commits = planCommits('EVENTS_0', window, {
    files: [await aFile('events', 't1')],
    outcomes: new Map([['t1', outcome()]]),
  });
  const paths = commits[0]!.files.map(({ file }) => file.path);
  const deleted: FilesByTable[] = [];
  // The new owner cleans up while the old one is between its record and its upload.
  const interrupted = {
    ...old,
    reach: () => undefined,
    persist: async <T>(step: string, task: () => Promise<T>): Promise<T> => {
      if (step === 'uploading') {
        const { cleaned: left } = await recover(
          { epoch: 7, appId: APP_ID, files: { 'events/tenant=t1': paths } },
          { storage: lake, tables: createTableCache(lake, registry), epoch: 8 },
        );
        deleted.push(left.files);
      }
      return task();
    },
  };
  await expect(commitWindow(window, commits, interrupted)).rejects.toThrow(TxnConflictError);
  expect(deleted).toEqual([{ 'events/tenant=t1': paths }]);
  expect(effects.at(-1)).toBe('delete events/tenant=t1/segment=web/date=2026-11-23/*.parquet');
  const { files } = await tableOf('events', 't1').snapshot();
  expect(files.size).toBe(0);
  const found: string[] = [];
  for await (const { path } of lake.list('events/tenant=t1/segment=')) found.push(path);
  expect(found).toEqual([]);
});

test('an owner that was stopped for so long that its uploads were vacuumed cannot commit them', async () => {
  const first = aWindow(1, 4);
  const { tables } = options([]);
  const commitsOf = async (window: ClosedWindow) =>
    planCommits('EVENTS_0', window, { files: [await aFile('events', 't1')], outcomes: new Map([['t1', outcome()]]) });
  await commitWindow(first, await commitsOf(first), options([], { tables }));
  // Stopped at the last possible moment: the entry is planned, every check is behind it, only the store has not heard of it.
  const slow = recorded(lake, []);
  let vacuumed = 0;
  slow.putIfAbsent = async (path, body) => {
    const hours = 3_600_000;
    const now = Date.now() + 2 * hours;
    const { deletedFiles } = await vacuum(lake, tableOf('events', 't1'), {
      graceMs: hours,
      present: () => Promise.resolve(now),
    });
    vacuumed += deletedFiles;
    return lake.putIfAbsent(path, body);
  };
  const second = aWindow(5, 9);
  const late = options([], { storage: slow, tables: new Tables(slow, createTableCache(slow, registry), APP_ID) });
  await late.tables.load('t1');
  await expect(commitWindow(second, await commitsOf(second), late)).rejects.toThrow(/vacuumed/);
  expect(vacuumed).toBe(1);
  const { files, txns } = await tableOf('events', 't1').snapshot();
  expect([files.size, txns.get(APP_ID)]).toEqual([1, 4]);
});

test('what a compaction has replaced, however long ago, is not taken for uncommitted', async () => {
  const window = aWindow(1, 9);
  const commits = planCommits('EVENTS_0', window, {
    files: [await aFile('events', 't1'), await aFile('events', 't1')],
    outcomes: new Map([['t1', outcome()]]),
  });
  await commitWindow(window, commits, options([]));
  const table = tableOf('events', 't1');
  const { files } = await table.snapshot();
  const [kept, replaced] = [...files.values()];
  await table.replace({ remove: [replaced!], add: [], dataChange: false, unusedSinceMs: Date.now(), info: {} });
  // Behind a checkpoint a snapshot does not know of it any more.
  await table.checkpoint();
  expect((await tableOf('events', 't1').snapshot()).tombstones.size).toBe(0);
  const intent = { epoch: 7, appId: APP_ID, files: { 'events/tenant=t1': [kept!.path, replaced!.path] } };
  const { cleaned: left } = await recover(intent, {
    storage: lake,
    tables: createTableCache(lake, registry),
    epoch: 8,
  });
  expect(left.files).toEqual({});
  for (const { path } of [kept!, replaced!]) expect(existsSync(lake.localPath(`events/tenant=t1/${path}`)!)).toBe(true);
});

test('an owner that loses its lease takes away what it has not tried to commit, and only that', async () => {
  const effects: string[] = [];
  const window = aWindow(1, 9);
  const files = [await aFile('events', 't1'), await aFile('events', 't2')];
  const commits = planCommits('EVENTS_0', window, {
    files,
    outcomes: new Map([
      ['t1', outcome()],
      ['t2', outcome()],
    ]),
  });
  const persist = async <T>(step: string, task: () => Promise<T>): Promise<T> => {
    if (step === 'committing to events/tenant=t2') throw new LostShardError('gone');
    return task();
  };
  await expect(commitWindow(window, commits, options(effects, { persist }))).rejects.toThrow(LostShardError);
  const left: string[] = [];
  for await (const { path } of lake.list('events/')) if (path.endsWith('.parquet')) left.push(path.split('/')[1]!);
  expect(left).toEqual(['tenant=t1']);
  expect((await tableOf('events', 't1').snapshot()).files.size).toBe(1);
});

test('what an owner left is deleted, what it had committed is kept', async () => {
  const window = aWindow(1, 9);
  const files = [await aFile('events', 't1'), await aFile('events', 't2')];
  const commits = planCommits('EVENTS_0', window, {
    files,
    outcomes: new Map([
      ['t1', outcome()],
      ['t2', outcome()],
    ]),
  });
  const intent: FilesByTable = Object.fromEntries(
    commits.map((commit) => [`events/tenant=${commit.tenantId}`, commit.files.map(({ file }) => file.path)]),
  );
  const persist = <T>(step: string, task: () => Promise<T>): Promise<T> =>
    step === 'committing to events/tenant=t2' ? Promise.reject(new Error('killed')) : task();
  await expect(commitWindow(window, commits, options([], { persist }))).rejects.toThrow('killed');
  const { cleaned: left } = await recover(
    { epoch: 7, appId: APP_ID, files: intent },
    { storage: lake, tables: createTableCache(lake, registry), epoch: 8 },
  );
  expect(Object.keys(left.files)).toEqual(['events/tenant=t2']);
  const found: string[] = [];
  for await (const { path } of lake.list('events/')) if (path.endsWith('.parquet')) found.push(path.split('/')[1]!);
  expect(found).toEqual(['tenant=t1']);
});

test('a commit whose answer was lost is found in the table and not made again', async () => {
  const effects: string[] = [];
  const window = aWindow(1, 9);
  const outcomes = new Map([
    ['t1', outcome()],
    ['t2', outcome({ stored: 0, duplicate: 1 })],
  ]);
  const commits = planCommits('EVENTS_0', window, { files: [await aFile('events', 't1')], outcomes });
  const lossy = options(effects);
  const answered = new Set<string>();
  lossy.storage = {
    ...lossy.storage,
    putIfAbsent: async (path, body) => {
      const created = await lake.putIfAbsent(path, body);
      if (created && path.includes('_delta_log') && !answered.has(path)) {
        answered.add(path);
        throw new Error('no answer');
      }
      return created;
    },
  };
  lossy.tables = new Tables(lossy.storage, createTableCache(lossy.storage, registry), APP_ID);
  lossy.persist = async (_, task) => {
    try {
      return await task();
    } catch {
      return task();
    }
  };
  await commitWindow(window, commits, lossy);
  for (const [tenant, count] of [
    ['t1', 1],
    ['t2', 0],
  ] as const) {
    const snapshot = await tableOf('events', tenant).snapshot();
    expect([snapshot.version, snapshot.files.size, snapshot.txns.get(APP_ID)]).toEqual([0, count, 9]);
  }
});

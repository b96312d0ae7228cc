import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { planCommits } from '../../../processor/commit/plan.ts';
import { Duplicates } from '../../../lake/dedupe/duplicates.ts';
import { lakeIds, newestIdFiles } from '../../../lake/dedupe/lakeIds.ts';
import { Engine, type EngineSession } from '../../../lake/duckdb/engine.ts';
import { writeWindow } from '../../../lake/flush/parquetWriter.ts';
import type { ClosedWindow } from '../../../lake/window/closedWindow.ts';
import { deltaTable, type Table } from '../../../lake/delta/table.ts';
import { openLocalStorage } from '../../../lake/storage/local.ts';
import type { Storage } from '../../../lake/storage/storage.ts';
import { tableSpec } from '../../../lake/layout/tables.ts';
import { createLog } from '../../../runtime/log.ts';
import { createRegistry } from '../../../schemas/registry.ts';
import { anEvent, type TestEvent } from '../../support/messages.ts';
import { NOTHING_STORED, shopMessage, shopWindow } from '../../support/windows.ts';

const registry = createRegistry();
const HOUR = 3_600_000;
let dir: string;
let engine: Engine;
let session: EngineSession;
let storage: Storage;
let windows = 0;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'spor-test-ids-'));
  engine = new Engine({ dir: join(dir, 'engine'), memory: '512MiB', threads: 1, log: createLog('test', 'silent') });
  session = engine.session();
  const local = await openLocalStorage(join(dir, 'lake'));
  // As an object store: files have no path of their own and must be fetched.
  storage = {
    url: local.url,
    get: (path) => local.get(path),
    putIfAbsent: (path, body) => local.putIfAbsent(path, body),
    upload: (path, file) => local.upload(path, file),
    download: (path, file) => local.download(path, file),
    list: (prefix, startAfter) => local.list(prefix, startAfter),
    folders: (prefix) => local.folders(prefix),
    delete: (paths) => local.delete(paths),
    has: (path) => local.has(path),
    now: () => local.now(),
    localPath: () => undefined,
    close: () => local.close(),
  };
});
afterAll(async () => {
  await engine.close();
  await rm(dir, { recursive: true, force: true });
});

const table = (tenantId: string): Table => deltaTable(storage, tableSpec('events', tenantId, registry));

function windowOf(events: TestEvent[], storedAt: Date): Promise<ClosedWindow> {
  const sequence = ++windows;
  const window = shopWindow(join(dir, `window-${sequence}`));
  for (let at = 0; at < events.length; at += 40) {
    const posts = [{ events: events.slice(at, at + 40), receivedAt: new Date('2036-01-01') }];
    window.add(shopMessage(posts, { sequence, timeMs: storedAt.getTime() }), NOTHING_STORED);
  }
  return window.close();
}

const stored = () => lakeIds(session, newestIdFiles(storage, table, join(dir, 'copies')));

async function writeAndCommit(
  duplicates: Duplicates,
  events: TestEvent[],
  storedAt: Date,
): Promise<{ stored: number; duplicate: number }> {
  const window = await windowOf(events, storedAt);
  const written = await writeWindow(window, {
    registry,
    session,
    duplicates,
    stored: stored(),
    erasures: new Map(),
    parts: 1,
  });
  for (const { tenantId, files, info } of planCommits('EVENTS_0', window, written)) {
    for (const { localFile, file } of files) await storage.upload(`events/tenant=${tenantId}/${file.path}`, localFile);
    const expected = windows === 1 ? undefined : windows - 1;
    await table(tenantId).append({
      files: files.map(({ file }) => file),
      txn: { appId: 'a', version: windows, expected },
      info,
    });
  }
  duplicates.commit();
  const { stored: rows, duplicate } = written.outcomes.get('shop')!.counts;
  return { stored: rows, duplicate };
}

test('ids are found in files that have to be fetched, read whole or looked into, within the window only', async () => {
  const later = new Date();
  // Received by a clock years ahead, and stored by the stream 26 hours ago.
  const now = new Date(later.getTime() - 26 * HOUR);
  const events = Array.from({ length: 500 }, (_, index) => anEvent(index));
  const fresh = (maxBytes: number) => new Duplicates({ maxBytes, windowMs: 24 * HOUR });
  expect(await writeAndCommit(fresh(1e8), events, now)).toEqual({ stored: 500, duplicate: 0 });
  expect(await stored().files('shop')).toMatchObject([{ rows: 500, storedThroughMs: now.getTime() }]);
  // One with memory to read them, one without; neither has seen them.
  expect(await writeAndCommit(fresh(1e8), [anEvent(0), ...events.slice(0, 100)], now)).toEqual({
    stored: 1,
    duplicate: 100,
  });
  expect(await writeAndCommit(fresh(0), [anEvent(0), ...events.slice(0, 100)], now)).toEqual({
    stored: 1,
    duplicate: 100,
  });
  expect(await writeAndCommit(fresh(1e8), events.slice(0, 10), later)).toEqual({ stored: 10, duplicate: 0 });
});

test('a window is cut into as many parts as asked, with the same result', async () => {
  const events = Array.from({ length: 300 }, (_, index) => anEvent(index));
  const window = await windowOf([...events, ...events.slice(0, 50)], new Date());
  const duplicates = new Duplicates({ maxBytes: 1e8, windowMs: HOUR });
  for (const parts of [1, 2, 3]) {
    const { files, outcomes } = await writeWindow(window, {
      registry,
      session,
      duplicates,
      stored: stored(),
      erasures: new Map(),
      parts,
    });
    expect(outcomes.get('shop')?.counts).toMatchObject({ accepted: 350, stored: 300, duplicate: 50 });
    expect(files).toHaveLength(parts);
    expect(files.reduce((sum, { rows }) => sum + rows, 0)).toBe(300);
  }
});

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { formatRanges, parseRanges } from '../../../lake/counts/dayCounts.ts';
import { foldCountsBefore, readCommitCounts } from '../../../lake/counts/commits.ts';
import { findFlush } from '../../../query/audit/findFlush.ts';
import { chainOf } from '../../../lake/counts/fold.ts';
import { entryPath } from '../../../lake/delta/log.ts';
import { openLocalStorage } from '../../../lake/storage/local.ts';
import type { Storage } from '../../../lake/storage/storage.ts';
import { createRandom } from '../../../scripts/shop/random.ts';

const ROOT = 'events/tenant=shop';
const APP_ID = 'EVENTS_0@2026-11-23T10:00:00Z';
const DAY = '2026-11-23';

let dir: string;
let storage: Storage;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'spor-test-accounts-'));
  storage = await openLocalStorage(dir);
});
afterEach(() => rm(dir, { recursive: true, force: true }));

async function write(version: number, actions: unknown[]): Promise<void> {
  const text = actions.map((action) => `${JSON.stringify(action)}\n`).join('');
  await storage.putIfAbsent(entryPath(ROOT, version), Buffer.from(text));
}

test('the flush of every message is found, whatever lies between, is read again after a takeover, or was cleaned away', async () => {
  const random = createRandom(1);
  /** Version by sequence; absent: nothing for the table. */
  const expected = new Map<number, number>();
  let sequence = 0;
  let versions = 0;
  for (; versions < 60; versions++) {
    if (random.chance(0.4)) {
      await write(versions, [{ commitInfo: { operation: 'OPTIMIZE' } }]);
      continue;
    }
    // After a takeover a window may begin before the last one's end; other tenants' messages leave gaps.
    const first = Math.max(1, sequence + random.between(-3, 4));
    const last = Math.max(sequence + 1, first + random.between(0, 5));
    for (let at = Math.max(first, sequence + 1); at <= last; at++) expected.set(at, versions);
    sequence = last;
    const days = { [DAY]: { accepted: 2, duplicate: 1, setAside: 0 } };
    const info = { firstSequence: first, lastSequence: last, days, duplicates: { [`r-${versions}`]: '1' } };
    await write(versions, [{ commitInfo: info }, { txn: { appId: APP_ID, version: last } }]);
  }
  const flushes = new Set(expected.values()).size;
  const find = (at: number) => findFlush(storage, ROOT, { appId: APP_ID, sequence: at, newest: versions - 1 });
  for (let at = 1; at <= sequence; at++) expect((await find(at))?.version, `message ${at}`).toBe(expected.get(at));
  expect(await find(sequence + 1)).toBeUndefined();
  expect(
    await findFlush(storage, ROOT, { appId: 'EVENTS_0@other', sequence: 1, newest: versions - 1 }),
  ).toBeUndefined();

  // Twice, as by two processes, one of which has not seen the other's; then the entries go.
  await foldCountsBefore(storage, ROOT, 20);
  await foldCountsBefore(storage, ROOT, 30);
  await foldCountsBefore(storage, ROOT, 30);
  await storage.delete(Array.from({ length: 30 }, (_, version) => entryPath(ROOT, version)));
  const accounts = await readCommitCounts(storage, ROOT);
  expect(accounts.reduce((sum, { days }) => sum + (days[DAY]?.accepted ?? 0), 0)).toBe(2 * flushes);
  expect(new Set(accounts.flatMap(({ duplicates }) => Object.keys(duplicates))).size).toBe(flushes);
  for (let at = 1; at <= sequence; at++) {
    const version = expected.get(at);
    if (version === undefined) continue;
    expect(Object.keys((await find(at))?.duplicates ?? {}), `message ${at}`).toContain(`r-${version}`);
  }
});

test('of accounts folded twice the longer ones count, without a gap', () => {
  const spans = [
    { after: -1, version: 9 },
    { after: 9, version: 19 },
    { after: 9, version: 24 },
    { after: 24, version: 30 },
    { after: 19, version: 30 },
  ];
  expect(chainOf(spans)).toEqual([
    { after: -1, version: 9 },
    { after: 9, version: 19 },
    { after: 19, version: 30 },
  ]);
});

test('positions are kept as ranges', () => {
  expect(formatRanges([5, 0, 1, 2, 9])).toBe('0-2,5,9');
  expect(parseRanges('0-2,5,9')).toEqual([0, 1, 2, 5, 9]);
  expect(parseRanges('')).toEqual([]);
  expect(formatRanges([])).toBe('');
});

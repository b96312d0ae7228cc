import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { deltaTable } from '../../../lake/delta/table.ts';
import { listMarts, martSpec } from '../../../query/marts/mart.ts';
import { compactLake } from '../../../lake/maintenance/commands.ts';
import { openLocalStorage } from '../../../lake/storage/local.ts';
import type { Storage } from '../../../lake/storage/storage.ts';
import { createLog } from '../../../runtime/log.ts';
import { createEventTable, openDuckDb, type StoredEvent } from '../insight/eventTable.ts';
import { laterWords } from '../insight/laterWords.ts';
import { simulatedEvents, stored } from '../insight/ledger.ts';
import { createMacros, report, type Row } from '../insight/rows.ts';
import { REGISTRY } from '../../support/lakeFixture.ts';
import { beforeUploads, commitEvents, eventsTable, martRows, refresh, TENANT, uploadEvents } from './martLake.ts';

const PERIOD = { from: '2026-10-30', to: '2026-11-07' };
const ALL = { limit: 2_000_000_000 };

let dir: string;
let storage: Storage;
/** What is in the lake, as of the last test. */
let events: StoredEvent[];

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'spor-test-marts-'));
  storage = await openLocalStorage(join(dir, 'lake'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

/** The marts of the same events, made from scratch in a lake of their own. */
async function fromScratch(): Promise<Record<string, Row[]>> {
  const lake = await openLocalStorage(await mkdtemp(join(dir, 'scratch-')));
  await commitEvents(lake, events);
  await refresh(lake);
  return martRows(lake);
}

test('kept up commit by commit they are what they are from scratch', async () => {
  const timeOf = ({ json }: StoredEvent): string => (JSON.parse(json) as { timestamp: string }).timestamp;
  const simulated = simulatedEvents(11);
  const all = stored(simulated).filter((event) => timeOf(event) > '2026-11-02T18' && timeOf(event) < '2026-11-03T06');
  const isLate = (_: StoredEvent, index: number): boolean => index % 7 === 3;
  const early = all.filter((event, index) => !isLate(event, index) && timeOf(event) < '2026-11-03');
  const next = all.filter((event, index) => !isLate(event, index) && timeOf(event) >= '2026-11-03');
  const order = early.find(({ json }) => json.includes('"OrderCreated"'))!;
  const again = { ...order, json: later(order.json, '2026-11-05T12:00:00.000Z') };
  await commitEvents(storage, early);
  await refresh(storage);
  // Killed in the middle; then two at once, of which one commits each mart.
  await commitEvents(storage, next);
  const cut = await refresh(failing(storage, 4));
  expect(cut.filter(({ error }) => error === 'killed').length).toBeGreaterThan(0);
  expect(cut.map(({ outcome }) => outcome)).toContain('refreshed');
  const outcomes = (await Promise.all([refresh(storage), refresh(storage)])).flat();
  for (const { name } of listMarts(REGISTRY)) {
    const commits = outcomes.filter(({ mart, outcome }) => mart === name && outcome === 'refreshed').length;
    expect(commits, name).toBeLessThanOrEqual(1);
  }
  // Events that come late, and an order told of again on another day.
  await commitEvents(storage, [...all.filter(isLate), again]);
  await refresh(storage);
  // What the backend says later, which changes orders of other days.
  const orderOf = ({ json }: StoredEvent): string | undefined => (JSON.parse(json) as { orderId?: string }).orderId;
  const known = new Set(all.map(orderOf));
  const words = laterWords(simulated).filter((word) => known.has(orderOf(word)));
  await commitEvents(storage, words);
  await refresh(storage);
  events = [...all, again, ...words];
  const rows = await martRows(storage);
  for (const [name, those] of Object.entries(rows)) expect(those.length, name).toBeGreaterThan(0);
  expect(rows).toEqual(await fromScratch());
});

test('they say what the reports say', async () => {
  const { connection, close } = await openDuckDb();
  try {
    await createEventTable(connection, events);
    await createMacros(connection);
    const rows = await martRows(storage);
    const asked = async (name: string, parameters: Record<string, number>, period = PERIOD): Promise<Row[]> =>
      report(connection, { name, ...period, parameters });
    const pairs = rows.product_pairs!.filter(({ kind }) => kind === 'order');
    expect(sorted(pairs, ['product_a', 'product_b', 'together', 'support', 'confidence_a_to_b', 'lift'])).toEqual(
      sorted(await asked('bought_together', ALL), [
        'product_a',
        'product_b',
        'together',
        'support',
        'confidence_a_to_b',
        'lift',
      ]),
    );
    const popularity = ['product_id', 'click_score', 'cart_score', 'order_score', 'clicks', 'cart_adds', 'orders'];
    expect(sorted(rows.popularity!, popularity)).toEqual(
      sorted(await asked('popularity', ALL, { from: PERIOD.from, to: '2026-11-04' }), popularity),
    );
    const affinity = ['phrase', 'product_id', 'shown', 'clicks', 'expected_clicks', 'coec', 'coec_smoothed'];
    expect(sorted(rows.phrase_products!, affinity)).toEqual(sorted(await asked('phrase_products', ALL), affinity));
    const identity = ['scope', 'anonymous_id', 'user_id', 'events', 'is_current', 'users'];
    expect(sorted(rows.identity_map!, identity)).toEqual(sorted(await asked('identity_map', {}), identity));
    const interactions = ['scope', 'visitor_id', 'product_id', 'clicks', 'cart_adds', 'orders', 'quantity_ordered'];
    expect(sorted(rows.interactions!, interactions)).toEqual(sorted(await asked('interactions', {}), interactions));
    const totals = await asked('revenue', {});
    const cents = (rows: readonly Row[], column: string): number =>
      rows.reduce((sum, row) => sum + Math.round(Number(row[column]) * 100), 0);
    for (const { currency, orders, revenue, refunded, net_revenue: net } of totals) {
      const days = rows.revenue_daily!.filter((row) => row.currency === currency);
      expect(days.reduce((sum, row) => sum + Number(row.orders), 0)).toBe(orders);
      expect(cents(days, 'revenue')).toBe(cents([{ sum: revenue! }], 'sum'));
      expect(cents(days, 'refunded')).toBe(cents([{ sum: refunded! }], 'sum'));
      expect(cents(days, 'net_revenue')).toBe(cents([{ sum: net! }], 'sum'));
      expect(Number(refunded)).toBeGreaterThan(0);
    }
    const phrases = rows.phrases_daily!.reduce((sum, row) => sum + Number(row.searches), 0);
    expect(phrases).toBe((await asked('search_overview', {}))[0]!.searches);
  } finally {
    close();
  }
});

test('nothing new costs nothing; compaction is no change', async () => {
  expect(new Set((await refresh(storage)).map(({ outcome }) => outcome))).toEqual(new Set(['current']));
  const before = await martRows(storage);
  const log = createLog('test', 'silent');
  const compaction = { storage, registry: REGISTRY, tenantIds: [TENANT], log, workDir: join(dir, 'compact') };
  const [done] = await compactLake({ ...compaction, memoryMb: 256, threads: 1, logRetentionMs: 86_400_000 });
  expect(done!.compacted.length).toBeGreaterThan(0);
  const reports = await refresh(storage);
  expect(reports.reduce((sum, { days }) => sum + days, 0)).toBe(0);
  expect(await martRows(storage)).toEqual(before);
});

test('who is erased from the events is gone from the marts', async () => {
  const person = (await martRows(storage)).interactions_daily![0]!.anonymous_id as string;
  const without = events.filter(({ json }) => !json.includes(JSON.stringify(person)));
  expect(without.length).toBeLessThan(events.length);
  const table = eventsTable(storage);
  const remove = [...(await table.snapshot()).files.values()];
  const add = await uploadEvents(storage, without);
  await table.replace({ remove, add, dataChange: true, unusedSinceMs: Date.now(), info: {} });
  events = without;
  await refresh(storage);
  const rows = await martRows(storage);
  expect(JSON.stringify(rows)).not.toContain(JSON.stringify(person));
  expect(rows).toEqual(await fromScratch());
});

/** A storage whose n-th upload fails. */
function failing(through: Storage, nth: number): Storage {
  let uploads = 0;
  return beforeUploads(through, () => (++uploads >= nth ? Promise.reject(new Error('killed')) : Promise.resolve()));
}

function later(json: string, timestamp: string): string {
  return JSON.stringify({
    ...(JSON.parse(json) as object),
    timestamp,
    eventId: '00000000-0000-7000-8000-000000000001',
  });
}

/** Some columns, rows in one order, numbers to 7 digits whatever their type. */
function sorted(rows: readonly Row[], columns: readonly string[]): unknown[] {
  const cell = (value: unknown): unknown =>
    value !== null && typeof value !== 'boolean' && value !== '' && !Number.isNaN(Number(value))
      ? Number(Number(value).toPrecision(7))
      : value;
  return rows
    .map((row) => columns.map((name) => cell(row[name] ?? null)))
    .sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
}

test('a mart that cannot be refreshed stops only those that read it', async () => {
  const lake = await openLocalStorage(join(dir, 'foreign'));
  await commitEvents(lake, events.slice(0, 100));
  await refresh(lake);
  const mart = listMarts(REGISTRY).find(({ name }) => name === 'pairs_daily')!;
  const { root } = martSpec(mart, TENANT);
  const { version } = await deltaTable(lake, martSpec(mart, TENANT)).snapshot();
  // Another engine has upgraded the table to a protocol that we do not write.
  const upgrade = {
    protocol: {
      minReaderVersion: 3,
      minWriterVersion: 7,
      readerFeatures: ['deletionVectors'],
      writerFeatures: ['deletionVectors'],
    },
  };
  await lake.putIfAbsent(
    `${root}/_delta_log/${String(version + 1).padStart(20, '0')}.json`,
    Buffer.from(JSON.stringify(upgrade)),
  );
  await commitEvents(lake, [{ json: later(events[0]!.json, '2026-11-03T01:00:00.000Z'), segmentId: 'web' }]);
  const reports = await refresh(lake);
  const failed = reports.filter(({ outcome }) => outcome === 'failed');
  expect(failed.map(({ mart: name }) => name)).toEqual(['pairs_daily', 'product_pairs']);
  expect(failed[0]!.error).toContain('reader version 3');
  expect(failed[1]!.error).toContain('pairs_daily');
  expect(new Set(reports.filter((report) => !failed.includes(report)).map(({ outcome }) => outcome))).toEqual(
    new Set(['refreshed']),
  );
});

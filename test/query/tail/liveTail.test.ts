import { access, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readErasures } from '../../../lake/erasure/list.ts';
import { createTableCache } from '../../../lake/layout/tableCache.ts';
import { lakeFolderFiles } from '../../../lake/files/localFiles.ts';
import { openQueries, type Queries, type QueryAnswer } from '../../../query/engine/query.ts';
import type { AsOf } from '../../../query/engine/resolve.ts';
import { LiveTail } from '../../../query/tail/liveTail.ts';
import { ShardStreams } from '../../../stream/shardStreams.ts';
import { createLog } from '../../../runtime/log.ts';
import { createRegistry } from '../../../schemas/registry.ts';
import { shardOf } from '../../../schemas/subjects.ts';
import { startTestPipeline, type TestPipeline } from '../../support/testPipeline.ts';
import { anEvent, messageOf, SHARDS, uuid7, type TestEvent } from '../../support/messages.ts';
import { until } from '../../support/until.ts';
import { utcDay } from '../../../runtime/units.ts';

const registry = createRegistry();
const LIMITS = { memoryMb: 256, threads: 1, timeoutMs: 30_000, maxRows: 100_000, maxBytes: 64_000_000 };
const refused = {
  index: 7,
  eventId: uuid7(),
  type: 'Search',
  code: 'field_missing',
  path: '/phrase',
  message: 'm',
  raw: '{}',
};

let dir: string;
let bench: TestPipeline;
let tail: LiveTail;
let queries: Queries;

async function openTailQueries(maxBytes = 64 << 20): Promise<{ tail: LiveTail; queries: Queries }> {
  const localFiles = lakeFolderFiles(bench.storage);
  const live = new LiveTail({
    connection: () => bench.connection,
    registry,
    localFiles,
    erasures: (tenantId) => readErasures(bench.storage, tenantId),
    dir: join(dir, `tail-${maxBytes}`),
    maxBytes,
    dedupeWindowMs: 86_400_000,
    log: createLog('test', 'silent'),
  });
  const lake = { storage: bench.storage, tables: createTableCache(bench.storage, registry), registry, localFiles };
  return {
    tail: live,
    queries: await openQueries({ ...lake, limits: LIMITS, live }),
  };
}

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'spor-test-tail-'));
  bench = await startTestPipeline();
  ({ tail, queries } = await openTailQueries());
});
afterAll(async () => {
  await queries?.close();
  await tail?.close();
  await bench?.stop();
  await rm(dir, { recursive: true, force: true });
});

async function ask(tenantId: string, sql: string, asOf: AsOf = {}, more: object = {}): Promise<QueryAnswer> {
  return queries.run({ tenantId, segmentIds: [], sql, asOf, ...more });
}

const IDS = 'select event_id from events order by 1';

async function ids(tenantId: string, asOf: AsOf = {}): Promise<unknown[]> {
  return (await ask(tenantId, IDS, asOf)).rows.flat();
}

const events = (count: number, time = new Date()): TestEvent[] =>
  Array.from({ length: count }, (_, index) => anEvent(index, time));
const byText = (a: unknown, b: unknown): number => (String(a) < String(b) ? -1 : 1);
const idsOf = (list: readonly TestEvent[]): string[] => list.map(({ eventId }) => eventId).sort();

describe('before anything is committed', () => {
  test('events and refused events are seen once acknowledged, by each view', async () => {
    const sent = events(9);
    await bench.publish(messageOf('early', 'web', [{ events: sent, rejected: [refused] }]));
    const answer = await ask('early', IDS);
    expect(answer.rows.flat()).toEqual(idsOf(sent));
    expect(answer.snapshot).toMatchObject({ version: -1, files: 0, liveness: 'live', sequence: 1 });
    expect((await ask('early', 'select code, raw, segment from quarantine')).rows).toEqual([
      ['field_missing', '{}', 'web'],
    ]);
    expect((await ask('early', 'select count(*), min(segment) from searches')).rows).toEqual([[3, 'web']]);
    const day = utcDay(Date.now());
    expect((await ask('early', `select count(*) from events where date = '${day}'`)).rows).toEqual([[9]]);
    expect((await ask('early', 'select count(*) from events', {}, { from: day, to: day })).rows).toEqual([[9]]);
    expect((await ask('early', 'select count(*) from events', {}, { to: '2020-01-01' })).rows).toEqual([[0]]);
    expect((await ask('early', 'select count(*) from events', {}, { segmentIds: ['app'] })).rows).toEqual([[0]]);
    expect(await ids('early', { snapshot: 'committed' })).toEqual([]);
    expect(await ids('another')).toEqual([]);
    const more = events(2);
    await bench.publish(messageOf('early', 'app', [{ events: more }]));
    expect(await ids('early')).toEqual(idsOf([...sent, ...more]));
    expect((await ask('early', 'select count(*) from events', {}, { segmentIds: ['app'] })).rows).toEqual([[2]]);
  });

  test('a resend is seen once, and a line that cannot become a row is in the quarantine', async () => {
    const [first, second, unreadable] = events(3) as [TestEvent, TestEvent, TestEvent];
    const broken = { ...unreadable, type: 'Nothing' };
    await bench.publish(messageOf('resent', 'web', [{ events: [first, first] }]));
    await bench.publish(messageOf('resent', 'web', [{ events: [second, first, broken] }]));
    expect(await ids('resent')).toEqual(idsOf([first, second]));
    await bench.publish(messageOf('resent', 'app', [{ events: [first, second] }]));
    expect(await ids('resent')).toEqual(idsOf([first, second]));
    expect((await ask('resent', 'select code, event_id from quarantine')).rows).toEqual([
      ['schema_unknown', broken.eventId],
    ]);
  });

  test('more than a query may read is cut, and that is said', async () => {
    const small = await openTailQueries(20_000);
    const run = (asOf: AsOf): Promise<QueryAnswer> =>
      small.queries.run({ tenantId: 'large', segmentIds: [], sql: IDS, asOf });
    const batches = Array.from({ length: 5 }, () => events(50));
    for (const batch of batches) await bench.publish(messageOf('large', 'web', [{ events: batch }]));
    const answer = await run({});
    expect(answer.snapshot.liveness).toBe('cut');
    expect(answer.rows.length).toBeGreaterThanOrEqual(50);
    expect(answer.rows.length).toBeLessThan(250);
    expect(idsOf(batches.flat())).toEqual(expect.arrayContaining(answer.rows.flat()));
    await small.queries.close();
    await small.tail.close();
  });
});

test('a stream is not read much beyond where it ended at first, however fast it grows', async () => {
  const streams = await ShardStreams.open(bench.connection);
  const stream = (await streams.of('growing'))!;
  const sequences: number[] = [];
  for (let index = 0; index < 20; index++) {
    const large = [anEvent(0, new Date(), { phrase: 'x'.repeat(900_000) })];
    sequences.push(await bench.publish(messageOf('growing', 'web', [{ events: large }])));
  }
  const range = { tenantId: 'growing', from: 1, maxBytes: Infinity };
  const all = await streams.read(stream, range);
  expect(all.messages.map(({ sequence }) => sequence)).toEqual(sequences);
  const begun = await streams.read(stream, { ...range, to: sequences[1]! });
  expect(begun.complete).toBe(true);
  expect(begun.messages.length).toBeGreaterThanOrEqual(2);
  expect(begun.messages.length).toBeLessThan(12);
});

describe('while the processor commits', () => {
  test('each query sees all that was acknowledged before it, each event once', async () => {
    // Two tenants of one shard, of which one is committed by bytes while the other waits.
    expect(shardOf('shop', SHARDS)).toBe(shardOf('market', SHARDS));
    const slow = { COMMITS_PER_SECOND: '2', COMMIT_MAX_BYTES: '65536' };
    const processor = await bench.processor({ WINDOW_MAX_MS: '150', ...slow });
    const waiting = events(2);
    await bench.publish(messageOf('market', 'web', [{ events: waiting, rejected: [refused] }]));
    const acknowledged = new Set<string>();
    const tried = new Set<string>();
    let running = true;
    const tenants = ['shop', 'boutique'];
    const publisher = async (tenantId: string): Promise<void> => {
      let last: TestEvent[] = [];
      while (running) {
        const batch = events(20);
        // Every batch brings one event of the batch before once more, which may be in the tail or in the lake by now.
        const message = messageOf(tenantId, 'web', [{ events: [...last.slice(0, 1), ...batch] }]);
        for (const id of idsOf(batch)) tried.add(`${tenantId}/${id}`);
        await bench.publish(message);
        for (const id of idsOf(batch)) acknowledged.add(`${tenantId}/${id}`);
        last = batch;
      }
    };
    const versions = new Set<number>();
    const reader = async (tenantId: string): Promise<void> => {
      // Until several commits came while it was looking.
      for (const deadline = Date.now() + 40_000; versions.size < 6 && Date.now() < deadline;) {
        const before = [...acknowledged].filter((id) => id.startsWith(tenantId));
        const { rows, snapshot } = await ask(tenantId, 'select event_id from events', { snapshot: 'live' });
        const seen = (rows as string[][]).map(([id]) => `${tenantId}/${id}`);
        const distinct = new Set(seen);
        expect(seen.length).toBe(distinct.size);
        expect(before.filter((id) => !distinct.has(id))).toEqual([]);
        expect(seen.filter((id) => !tried.has(id))).toEqual([]);
        versions.add(snapshot.version);
      }
    };
    expect(await ids('market')).toEqual(idsOf(waiting));
    expect((await ask('market', 'select code from quarantine')).rows).toEqual([['field_missing']]);
    const publishing = Promise.all(tenants.map(publisher));
    await Promise.all([...tenants, tenants[0]!].map(reader)).finally(() => (running = false));
    await publishing;
    expect(versions.size).toBeGreaterThanOrEqual(6);
    await bench.settled();
    for (const tenantId of tenants) {
      const own = [...acknowledged].filter((id) => id.startsWith(tenantId)).map((id) => id.slice(tenantId.length + 1));
      expect(await ids(tenantId, { snapshot: 'committed' })).toEqual(own.sort(byText));
      expect(await ids(tenantId)).toEqual(own);
    }
    expect(await ids('market', { snapshot: 'committed' })).toEqual(idsOf(waiting));
    expect((await ask('market', 'select code from quarantine')).rows).toEqual([['field_missing']]);
    await processor.kill('SIGTERM');
  });

  test('a resend of what is committed already is not seen again', async () => {
    const [committed] = (await ask('shop', 'select event_id from events limit 1', { snapshot: 'committed' })).rows as [
      [string],
    ];
    const fresh = anEvent(1);
    const before = await ids('shop');
    await bench.publish(
      messageOf('shop', 'app', [{ events: [anEvent(0, new Date(), { eventId: committed[0] }), fresh] }]),
    );
    expect(await ids('shop')).toEqual([...before, fresh.eventId].sort(byText));
  });
});

describe('a stable answer', () => {
  test('an earlier version is read as it was', async () => {
    const newest = (await ask('shop', IDS, { snapshot: 'committed' })).snapshot.version;
    const counts: number[] = [];
    for (const version of [0, 1, newest]) {
      const answer = await ask('shop', 'select count(*) from events', { version });
      expect(answer.snapshot).toMatchObject({ version, liveness: 'committed' });
      counts.push(answer.rows[0]![0] as number);
    }
    expect(counts).toEqual([...counts].sort((a, b) => a - b));
    expect(counts[0]).toBeGreaterThan(0);
    await expect(ask('shop', IDS, { version: newest + 1 })).rejects.toMatchObject({ code: 'version_unknown' });
    await expect(
      ask('shop', 'select (select count(*) from events), (select count(*) from quarantine)', { version: 0 }),
    ).rejects.toMatchObject({ code: 'version_ambiguous' });
  });

  test('without the stream server the committed answer says so, and whoever wants it live is refused', async () => {
    await bench.nats.kill('SIGSTOP');
    try {
      expect((await ask('shop', IDS)).snapshot.liveness).toBe('unavailable');
      expect((await ask('shop', IDS)).snapshot.liveness).toBe('unavailable');
      await expect(ask('shop', IDS, { snapshot: 'live' })).rejects.toMatchObject({ code: 'tail_unavailable' });
    } finally {
      await bench.nats.kill('SIGCONT');
    }
    await until(async () => (await ask('shop', IDS)).snapshot.liveness === 'live');
  });
});

test('files of a query under way outlive a hundred other tenants and a long pause', async () => {
  const sent = events(3);
  await bench.publish(messageOf('held', 'web', [{ events: sent }]));
  const tables = createTableCache(bench.storage, registry);
  const view = (tenantId: string) =>
    tail.view(tenantId, async () => ({
      events: await tables('events', tenantId).snapshot(),
      quarantine: await tables('quarantine', tenantId).snapshot(),
    }));
  const held = await view('held');
  const paths = held.tail.files.filter(({ table }) => table === 'events').map(({ localFile }) => localFile);
  expect(paths).toHaveLength(1);
  const others = Array.from({ length: 66 }, (_, number) => `tenant-${number}`);
  for (const tenantId of others) await (await view(tenantId)).tail.release();
  const mine = await view('held');
  expect(await bench.rowsIn(paths)).toBe(3);
  await held.tail.release();
  await held.tail.release(); // twice is once
  expect(await bench.rowsIn(mine.tail.files.map(({ localFile }) => localFile))).toBe(3);
  await mine.tail.release();
  for (const tenantId of others.slice(0, 65)) await (await view(tenantId)).tail.release();
  await until(async () => !(await exists(paths[0]!)));
  expect(await ids('held')).toEqual(idsOf(sent));
});

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

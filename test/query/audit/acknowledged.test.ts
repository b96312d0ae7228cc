import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Audit } from '../../../query/audit/audit.ts';
import { reconcile } from '../../../query/audit/reconcile.ts';
import { ShardStreams } from '../../../stream/shardStreams.ts';
import { type TableCache } from '../../../lake/layout/tableCache.ts';
import { lakeFolderFiles } from '../../../lake/files/localFiles.ts';
import { Progress } from '../../../stream/progress.ts';
import { formatReceipt, streamEpoch } from '../../../schemas/receipt.ts';
import { shardOf, streamName } from '../../../schemas/subjects.ts';
import { anEvent, messageOf, SHARDS, uuid7, type TestPost } from '../../support/messages.ts';
import { startTestPipeline, type TestPipeline, type TestProcessor } from '../../support/testPipeline.ts';
import { DAY_MS, utcDay } from '../../../runtime/units.ts';
import { createPipelineAudit } from './pipelineAudit.ts';

const SHARD = 0;
/** Tenants of one shard: its committed position is theirs together. */
const [WITH_TABLE, WITHOUT_TABLE, NEIGHBOUR, BUSY] = Array.from({ length: 64 }, (_, index) => `shop-${index}`).filter(
  (tenantId) => shardOf(tenantId, SHARDS) === SHARD,
) as [string, string, string, string];

let bench: TestPipeline;
let accounts: Audit;
let created: string;
let processor: TestProcessor;

beforeAll(async () => {
  bench = await startTestPipeline();
  created = (await bench.manager.streams.info(streamName(SHARD))).created;
  accounts = createPipelineAudit(bench);
  processor = await bench.processor();
});
afterAll(async () => {
  await accounts?.close();
  await bench?.stop();
});

/** Publishes a message of one batch; its receipt. */
async function publish(tenantId: string, post: TestPost): Promise<string> {
  const sequence = await bench.publish(messageOf(tenantId, 'web', [post]));
  return formatReceipt({ epoch: streamEpoch(created), shard: SHARD, sequence, batch: 0 });
}

const refused = (index: number) => ({
  index,
  eventId: uuid7(),
  type: 'Search',
  schemaVersion: 1,
  code: 'field_missing',
  path: '/phrase',
  message: 'phrase is missing',
  raw: '{"type":"Search"}',
});

/** Yesterday to tomorrow, so that midnight may pass. */
function days(): { from: string; to: string } {
  const day = (offset: number): string => utcDay(Date.now() + offset * DAY_MS);
  return { from: day(-1), to: day(1) };
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);

test('acknowledged messages that no table has are missing, not pending, even where the table gets no later commit', async () => {
  await publish(WITH_TABLE, { events: [anEvent(0), anEvent(1)] });
  await bench.settled();
  await processor.kill('SIGTERM');

  const lost = await publish(WITH_TABLE, { events: [anEvent(2), anEvent(3)], rejected: [refused(2)] });
  const lostWithoutTable = await publish(WITHOUT_TABLE, { events: [anEvent(0)] });
  // Not acknowledged yet, they are pending.
  expect(await accounts.reconcile(WITH_TABLE, days())).toMatchObject({ balanced: true, differences: [] });
  expect((await accounts.receipt(lost, { tenantId: WITH_TABLE, segmentIds: [] })).states).toEqual({
    accepted: 2,
    quarantined: 1,
  });
  // Each tenant hears of its own backlog, not of its neighbours' in the shard.
  const own = await accounts.backlog(WITH_TABLE);
  expect(own).toMatchObject({ shard: SHARD, messages: 1 });
  expect(own!.committedMs).toBeLessThan(own!.oldestMs!);
  const other = await accounts.backlog(WITHOUT_TABLE);
  expect(Object.keys(other!).sort()).toEqual(['messages', 'oldestMs', 'shard']);
  await publish(WITHOUT_TABLE, { events: [anEvent(1)] });
  expect(await accounts.backlog(WITHOUT_TABLE)).toEqual({ ...other, messages: 2 });
  expect(await accounts.backlog(NEIGHBOUR)).toEqual({ shard: SHARD, messages: 0 });
  const progress = await Progress.open(bench.connection, { replicas: 1 });
  const last = (await bench.manager.streams.info(streamName(SHARD))).state.last_seq;
  await progress.acknowledge(SHARD, created, last);
  // The next owner begins after them, and its commits are the neighbour's.
  const read = await publish(NEIGHBOUR, { events: [anEvent(0)] });
  processor = await bench.processor();
  await bench.settled();

  const found = await accounts.reconcile(WITH_TABLE, days());
  expect(found.balanced).toBe(false);
  expect(found.differences).toMatchObject([
    { receiptId: lost, kind: 'missing', table: 'events', events: 2 },
    { receiptId: lost, kind: 'missing', table: 'quarantine', events: 1 },
  ]);
  expect(sum(found.days.map((day) => day.pending))).toBe(0);
  expect(sum(found.days.map((day) => day.difference))).toBe(2);
  expect(sum(found.days.map((day) => day.refused.difference))).toBe(1);
  expect((await accounts.receipt(lost, { tenantId: WITH_TABLE, segmentIds: [] })).states).toEqual({
    missing: 2,
    quarantined: 1,
  });

  const none = await accounts.reconcile(WITHOUT_TABLE, days());
  expect(none).toMatchObject({
    balanced: false,
    differences: [
      { receiptId: lostWithoutTable, kind: 'missing', events: 1 },
      { kind: 'missing', events: 1 },
    ],
  });
  const reader = { tenantId: WITHOUT_TABLE, segmentIds: [] };
  expect((await accounts.receipt(lostWithoutTable, reader)).states).toEqual({ missing: 1 });

  // A neighbour in the same shard has lost nothing.
  expect(await accounts.reconcile(NEIGHBOUR, days())).toMatchObject({ balanced: true, differences: [] });
  expect((await accounts.receipt(read, { tenantId: NEIGHBOUR, segmentIds: [] })).states).toEqual({ committed: 1 });
  expect(await accounts.reconcile('never-seen', days())).toMatchObject({ balanced: true, differences: [] });
});

test('committed messages without a row of their own are not missing, and neither are those committed while it looks', async () => {
  const { storage, connection } = bench;
  const repeated = anEvent(0);
  await publish(BUSY, { events: [repeated] });
  await bench.settled();
  await publish(BUSY, { events: [repeated, repeated] });
  await publish(BUSY, { events: [], rejected: [refused(0)] });
  await publish(BUSY, { events: [{ ...anEvent(0), timestamp: 'not a time' }] });
  await publish(NEIGHBOUR, { events: [anEvent(0)] });
  await bench.settled();
  expect(await accounts.reconcile(BUSY, days())).toMatchObject({ balanced: true, differences: [] });

  // Each look has a message committed right after the tables were read.
  let looks = 0;
  const tables: TableCache = (name, tenantId) => {
    const real = bench.table(name, tenantId);
    return {
      ...real,
      snapshot: async () => {
        const seen = await real.snapshot();
        looks++;
        await publish(BUSY, { events: [anEvent(looks)], rejected: [refused(1)] });
        await bench.settled();
        return seen;
      },
    };
  };
  const streams = await ShardStreams.open(connection);
  const sources = { storage, localFiles: lakeFolderFiles(storage), streams, tables, memoryMb: 256 };
  const found = await reconcile(BUSY, days(), sources);
  expect(found).toMatchObject({ balanced: true, differences: [] });
  expect(sum(found.days.map((day) => day.pending))).toBeGreaterThan(0);
  expect(looks).toBe(2);
});

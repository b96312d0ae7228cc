import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type Audit } from '../../../query/audit/audit.ts';
import { foldCountsBefore, readCommitCounts } from '../../../lake/counts/commits.ts';
import { formatReceipt, streamEpoch } from '../../../schemas/receipt.ts';
import { shardOf, streamName } from '../../../schemas/subjects.ts';
import { anEvent, messageOf, SHARDS, uuid7, type TestPost } from '../../support/messages.ts';
import { startTestPipeline, type TestPipeline, type TestProcessor } from '../../support/testPipeline.ts';
import { storedAfter } from '../../../query/audit/completeness.ts';
import { createPipelineAudit } from './pipelineAudit.ts';

const TENANT = 'shop';
const SHARD = shardOf(TENANT, SHARDS);
const ALL = { tenantId: TENANT, segmentIds: [] };

let bench: TestPipeline;
let accounts: Audit;
let processor: TestProcessor;
let epoch: number;

beforeAll(async () => {
  bench = await startTestPipeline();
  epoch = streamEpoch((await bench.manager.streams.info(streamName(SHARD))).created);
  accounts = createPipelineAudit(bench);
  processor = await bench.processor();
});
afterAll(async () => {
  await accounts?.close();
  await bench?.stop();
});

/** Publishes a message of some batches; their receipts. */
async function publish(posts: TestPost[], segmentId = 'web', tenantId = TENANT): Promise<string[]> {
  const sequence = await bench.publish(messageOf(tenantId, segmentId, posts));
  return posts.map((_, batch) => formatReceipt({ epoch, shard: shardOf(tenantId, SHARDS), sequence, batch }));
}

const refused = {
  index: 1,
  eventId: uuid7(),
  type: 'Search',
  schemaVersion: 1,
  code: 'field_missing',
  path: '/phrase',
  message: 'phrase is missing',
  raw: '{"type":"Search"}',
};

test('each event of a batch: committed, refused, set aside, duplicate; and the same once the stream has let go of it', async () => {
  const [first, second] = [anEvent(0), anEvent(1)];
  const unstorable = { ...anEvent(3), timestamp: 'not a time' };
  const [one] = await publish([{ events: [first], rejected: [refused] }]);
  // The second batch of a message: one event of the batch before once more, one within the batch twice.
  const changed = { ...second, phrase: 'another phrase' };
  const [, other] = await publish([{ events: [anEvent(2)] }, { events: [first, second, changed, unstorable] }]);
  await bench.settled();

  expect(await accounts.receipt(one!, ALL)).toMatchObject({
    receiptId: one,
    segmentId: 'web',
    stream: 'held',
    accepted: 1,
    refused: 1,
    states: { committed: 1, quarantined: 1 },
    committedIn: 0,
    events: [
      {
        index: 0,
        eventId: first.eventId,
        type: 'Search',
        state: 'committed',
        file: expect.stringMatching(/^events\/tenant=shop\/segment=web\/date=.*\.parquet$/),
      },
      {
        index: 1,
        state: 'quarantined',
        code: 'field_missing',
        path: '/phrase',
        file: expect.stringMatching(/^quarantine\//),
      },
    ],
  });
  const answer = await accounts.receipt(other!, ALL);
  expect(answer.events[0]!.code, 'the same content').toBeUndefined();
  expect(await accounts.duplicates(TENANT)).toMatchObject({
    accepted: 6,
    duplicate: 2,
    differing: 1,
    receipts: [other],
  });
  expect(answer).toMatchObject({
    accepted: 4,
    refused: 0,
    events: [
      { index: 0, state: 'duplicate', of: { receiptId: one, index: 0, file: expect.stringContaining('.parquet') } },
      { index: 1, eventId: second.eventId, state: 'committed' },
      { index: 2, state: 'duplicate', of: { receiptId: other, index: 1 }, code: 'duplicate_differs' },
      { index: 3, state: 'quarantined', code: 'event_unreadable' },
    ],
  });

  const { state } = await bench.manager.streams.info(streamName(SHARD));
  await bench.manager.streams.purge(streamName(SHARD), { seq: state.last_seq + 1 });
  expect(await accounts.receipt(other!, ALL)).toMatchObject({
    stream: 'expired',
    states: { committed: 1, duplicate: 2, quarantined: 1 },
    events: [
      { index: 0, state: 'duplicate', eventId: null },
      { index: 1, state: 'committed', eventId: second.eventId },
      { index: 2, state: 'duplicate', code: 'duplicate_differs' },
      { index: 3, state: 'quarantined', code: 'event_unreadable' },
    ],
  });
  expect((await accounts.receipt(other!, ALL)).accepted).toBeUndefined();

  // What the log said of duplicates outlives its entries.
  const root = `events/tenant=${TENANT}`;
  const before = await readCommitCounts(bench.storage, root);
  const { version } = await bench.table('events', TENANT).snapshot();
  await foldCountsBefore(bench.storage, root, version + 1);
  const [folded, ...rest] = await readCommitCounts(bench.storage, root);
  expect(rest).toEqual([]);
  expect(Object.values(folded!.days)).toEqual([{ accepted: 6, duplicate: 2, differing: 1, setAside: 1 }]);
  expect(before.length).toBeGreaterThan(0);
  const last = await accounts.receipt(other!, ALL);
  expect(last.states).toEqual({ committed: 1, duplicate: 2, quarantined: 1 });
  expect(last.events[2]!.code).toBe('duplicate_differs');
});

test('what is not committed yet, and up to when all is in; by the clock of the stream, not of receivers', async () => {
  await bench.settled();
  const idle = await accounts.completeness(TENANT);
  expect(idle.waiting).toBeUndefined();
  expect(Math.abs(Date.parse(idle.acknowledgedBefore!) - Date.now())).toBeLessThan(60_000);

  await processor.kill('SIGSTOP');
  // Receivers whose clocks are two hours behind and ahead say nothing about when the stream had it.
  const behind = new Date(Date.now() - 7_200_000);
  const [receipt] = await publish([{ events: [anEvent(0)], rejected: [refused], receivedAt: behind }]);
  await publish([{ events: [anEvent(1)], receivedAt: new Date(Date.now() + 7_200_000) }]);
  const stalled = await accounts.completeness(TENANT);
  const { time } = (await bench.manager.streams.getMessage(streamName(SHARD), { seq: stalled.waiting!.sequence }))!;
  expect(stalled.acknowledgedBefore).toBe(time.toISOString());
  expect(Date.parse(stalled.receivedBefore!)).toBeLessThan(time.getTime());
  expect(await accounts.receipt(receipt!, ALL)).toMatchObject({
    receivedAt: behind.toISOString(),
    states: { accepted: 1, quarantined: 1 },
    events: [{ state: 'accepted' }, { state: 'quarantined', code: 'field_missing' }],
  });
  // Time alone moves nothing.
  expect((await accounts.completeness(TENANT)).acknowledgedBefore).toBe(stalled.acknowledgedBefore);
  // Another tenant of the shard has nothing waiting.
  expect((await accounts.completeness(otherTenantOfShard())).waiting).toBeUndefined();

  await processor.kill('SIGCONT');
  await bench.settled();
  const after = await accounts.completeness(TENANT);
  expect(after.waiting).toBeUndefined();
  expect(Date.parse(after.acknowledgedBefore!)).toBeGreaterThan(time.getTime());
  expect((await accounts.receipt(receipt!, ALL)).states).toEqual({ committed: 1, quarantined: 1 });
});

test('nothing is claimed where one clock is years off, either way', async () => {
  await bench.settled();
  const real = bench.storage.now.bind(bench.storage);
  const years = 3_650 * 86_400_000;
  for (const offMs of [years, -years]) {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + offMs });
    const byHost = await accounts.completeness(TENANT).finally(() => vi.useRealTimers());
    bench.storage.now = async () => (await real()) + offMs;
    const byStore = await accounts.completeness(TENANT).finally(() => (bench.storage.now = real));
    for (const found of [byHost, byStore])
      expect(found).toEqual({
        tenantId: TENANT,
        acknowledgedBefore: null,
        receivedBefore: null,
        completeThrough: null,
        clocksDiffer: expect.stringMatching(/^host 20\d\d-.*, store 20\d\d-.*, stream 20\d\d-/) as string,
      });
  }
  expect((await accounts.completeness(TENANT)).acknowledgedBefore).not.toBeNull();
});

test('a message that the stream stamped while its clock was ahead moves no mark ahead', () => {
  const mark = (previousMs: number | undefined, ownMs: number, followingMs?: number): number | undefined =>
    storedAfter({ previousMs, ownMs, followingMs, nowMs: 100 });
  expect([mark(50, 60, 70), mark(undefined, 60), mark(60, 60, 60)]).toEqual([60, 60, 60]);
  // Stamped later than the present or the next message: the one before counts, unless it was stamped so too.
  expect([mark(50, 1_000), mark(50, 80, 70), mark(1_000, 2_000, 70), mark(undefined, 101)]).toEqual([
    50,
    50,
    undefined,
    undefined,
  ]);
  // Stamped years behind: too early is no false claim.
  expect(mark(50, 1, 70)).toBe(1);
});

test('services that read files only find the mark in the newest commit', async () => {
  const sequence = await bench.publish(messageOf(TENANT, 'web', [{ events: [anEvent(0)] }]));
  await bench.settled();
  const { version } = await bench.table('events', TENANT).snapshot();
  const name = `events/tenant=${TENANT}/_delta_log/${String(version).padStart(20, '0')}.json`;
  const [first] = Buffer.from((await bench.storage.get(name))!)
    .toString()
    .split('\n');
  const { commitInfo } = JSON.parse(first!) as { commitInfo: { acknowledgedBefore: string } };
  const { time } = (await bench.manager.streams.getMessage(streamName(SHARD), { seq: sequence }))!;
  expect(commitInfo.acknowledgedBefore).toBe(time.toISOString());
});

test('what is no receipt of the tenant is refused: malformed, of another tenant, segment or stream, not given yet', async () => {
  const [receipt] = await publish([{ events: [anEvent(0)] }]);
  const stranger = otherTenantOfShard();
  const [foreign] = await publish([{ events: [anEvent(1)] }], 'web', stranger);
  await bench.settled();
  const code = (id: string, reader = ALL as { tenantId: string; segmentIds: string[] }) =>
    accounts.receipt(id, reader).then(
      () => 'found',
      (error: { code: string }) => error.code,
    );
  expect(await code(receipt!)).toBe('found');
  expect(await code('nonsense')).toBe('receipt_malformed');
  expect(await code("x' OR 1=1 --")).toBe('receipt_malformed');
  expect(await code(foreign!)).toBe('receipt_unknown');
  expect(await code(receipt!, { tenantId: stranger, segmentIds: [] })).toBe('receipt_unknown');
  expect(await code(receipt!, { tenantId: TENANT, segmentIds: ['app'] })).toBe('receipt_unknown');
  expect(await code(receipt!, { tenantId: TENANT, segmentIds: ['web'] })).toBe('found');
  expect(await code(formatReceipt({ epoch, shard: SHARD, sequence: 1_000_000, batch: 0 }))).toBe('receipt_unknown');
  expect(await code(formatReceipt({ epoch: epoch - 1, shard: SHARD, sequence: 1, batch: 0 }))).toBe('receipt_unknown');
  expect(await code(receipt!.replace(/-0$/, '-9'))).toBe('receipt_unknown');
});

test('a token of one segment does not see the row of another that a resend repeats', async () => {
  const event = anEvent(0);
  const [first] = await publish([{ events: [event] }], 'web');
  await bench.settled();
  const [again] = await publish([{ events: [event] }], 'app');
  await bench.settled();
  const all = await accounts.receipt(again!, ALL);
  expect(all.events).toMatchObject([{ state: 'duplicate', of: { receiptId: first } }]);
  const own = await accounts.receipt(again!, { tenantId: TENANT, segmentIds: ['app'] });
  expect(own.events).toEqual([{ index: 0, eventId: event.eventId, type: event.type, state: 'duplicate' }]);
  expect(JSON.stringify(own)).not.toContain('segment=web');
});

function otherTenantOfShard(): string {
  for (let number = 0; ; number++) if (shardOf(`other-${number}`, SHARDS) === SHARD) return `other-${number}`;
}

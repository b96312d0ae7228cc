import { afterEach, beforeEach, expect, test } from 'vitest';
import { CARRY_STEPS } from '../../cli/carryOver/carry.ts';
import { carryOverAll } from '../../cli/carryOver/run.ts';
import { lakeFolderFiles } from '../../lake/files/localFiles.ts';
import { utcDay } from '../../runtime/units.ts';
import { formatReceipt, streamEpoch } from '../../schemas/receipt.ts';
import { shardOf, streamName } from '../../schemas/subjects.ts';
import { KEYS_BUCKET } from '../../stream/buckets.ts';
import { openSecretStore } from '../../stream/secretStore.ts';
import { mayBeMissing, readStreamsRecord, type Loss } from '../../stream/streamsRecord.ts';
import { createPipelineAudit } from '../query/audit/pipelineAudit.ts';
import { startReceiver, type Receiver } from '../ingest/receiver.ts';
import { anEvent, messageOf, SHARDS } from '../support/messages.ts';
import type { StoreCopy } from '../support/nats.ts';
import { startTestPipeline, type TestPipeline, type TestProcessor } from '../support/testPipeline.ts';
import { until } from '../support/until.ts';

const TENANT = 'demo-shop';
const SHARD = shardOf(TENANT, SHARDS);
let bench: TestPipeline;
let receiver: Receiver | undefined;

beforeEach(async () => {
  bench = await startTestPipeline();
});
afterEach(async () => {
  await receiver?.close();
  receiver = undefined;
  await bench.stop();
});

async function publish(count: number): Promise<string[]> {
  const ids: string[] = [];
  for (let index = 0; index < count; index++) {
    const event = anEvent(index);
    ids.push(event.eventId);
    await bench.publish(messageOf(TENANT, 'web', [{ events: [event] }]));
  }
  return ids;
}

const connected = (): Promise<void> => until(async () => (await bench.connection.flush(), true));
const settle = async (): Promise<void> => {
  await connected();
  await bench.settled();
};

const readyz = async (url: string): Promise<{ status: number; reason: string }> => {
  const response = await fetch(`${url}/readyz`);
  return { status: response.status, reason: ((await response.json()) as { reason?: string }).reason ?? '' };
};
const processorUrl = ({ port }: TestProcessor): string => `http://127.0.0.1:${port}`;

const metric = async (url: string, line: string): Promise<number> => {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(
    text
      .split('\n')
      .find((row) => row.startsWith(line))
      ?.split(' ')
      .at(-1),
  );
};

/** Waits until a service refuses, with the code, the stream and the command. */
async function expectRefusal(url: string): Promise<void> {
  await until(async () => (await readyz(url)).reason.includes('stream_set_back'));
  const { status, reason } = await readyz(url);
  expect(status).toBe(503);
  expect(reason).toContain(streamName(SHARD));
  expect(reason).toContain('npx spor stream carry-over');
}

/** Waits until a receiver names the shard as refused; it stays ready for the others. */
async function expectRefusedShard(url: string): Promise<void> {
  const look = async (): Promise<{ status: number; refused: { shard: number; reason: string }[] }> => {
    const response = await fetch(`${url}/readyz`);
    const { shardsRefused: refused } = (await response.json()) as {
      shardsRefused: { shard: number; reason: string }[];
    };
    return { status: response.status, refused };
  };
  await until(async () => (await look()).refused.some(({ reason }) => reason.includes('stream_set_back')));
  const { status, refused } = await look();
  expect([status, refused]).toEqual([
    200,
    [{ shard: SHARD, reason: expect.stringContaining(streamName(SHARD)) as string }],
  ]);
  expect(refused[0]!.reason).toContain('npx spor stream carry-over');
}

/** Commits some messages, copies the store, and commits some more. */
async function copyHalfWay(): Promise<{ copy: StoreCopy; ids: string[] }> {
  const ids = await publish(3);
  await settle();
  const copy = await bench.nats.copyStore();
  await connected();
  ids.push(...(await publish(4)));
  await settle();
  return { copy, ids };
}

/** Ends a step of the command, as a kill would. */
class Killed extends Error {}

async function carry(killAt?: (typeof CARRY_STEPS)[number]): Promise<Awaited<ReturnType<typeof carryOverAll>>> {
  return carryOverAll({
    connection: bench.connection,
    storage: bench.storage,
    localFiles: lakeFolderFiles(bench.storage),
    replicas: 1,
    maxBytes: 1 << 30,
    dryRun: false,
    noticeMs: 0,
    reach: (step) => {
      if (step === killAt) throw new Killed(step);
    },
  });
}

async function storedIds(): Promise<string[]> {
  return (await bench.rows('events', TENANT, 'event_id')).map((row) => String(row.event_id)).sort();
}

test('a store that is set back stops processor and receiver, until its messages are carried over', async () => {
  const processor = await bench.processor();
  receiver = await startReceiver(bench.nats.url, { env: { STREAM_MAX_BYTES: String(1 << 30) } });
  const key = await receiver.createKey({ tenantId: TENANT });
  const post = (): Promise<Response> =>
    receiver!.post({ events: [anEvent(0)] }, { headers: { 'x-instrumentation-key': key } });
  expect((await post()).status).toBe(202);
  const { copy, ids } = await copyHalfWay();
  await bench.nats.putStore(copy);
  await expectRefusal(processorUrl(processor));
  expect(await metric(processorUrl(processor), `spor_processor_stream_set_back{shard="${SHARD}"`)).toBe(1);
  expect(await metric(processorUrl(processor), `spor_processor_lag_messages{shard="${SHARD}"`)).toBeGreaterThan(0);
  await expectRefusedShard(receiver.url);
  expect(await receiver.metric('spor_ingest_streams_set_back')).toBe(1);
  // A key that the store forgot is not known either, so the receiver's own answer comes from another key.
  const other = await receiver.createKey({ tenantId: TENANT });
  await until(async () => {
    const refused = await receiver!.post({ events: [anEvent(0)] }, { headers: { 'x-instrumentation-key': other } });
    return refused.status === 503 && ((await refused.json()) as { code: string }).code === 'stream_set_back';
  });
  // Other shards go on.
  const neighbour = Array.from({ length: 9 }, (_, index) => `shop-${index}`).find(
    (id) => shardOf(id, SHARDS) !== SHARD,
  )!;
  await bench.publish(messageOf(neighbour, 'web', [{ events: [anEvent(0)] }]));
  await until(async () => (await bench.rows('events', neighbour)).length === 1);

  const audit = createPipelineAudit(bench);
  expect(await audit.completeness(TENANT)).toMatchObject({
    acknowledgedBefore: null,
    completeThrough: null,
    fault: { code: 'stream_set_back' },
  });
  const day = utcDay(Date.now());
  expect(await audit.reconcile(TENANT, { from: day, to: day })).toMatchObject({
    balanced: false,
    streamFault: { code: 'stream_set_back' },
  });

  const { moved } = await carry();
  expect(moved).toMatchObject([{ shard: SHARD, held: 4, moved: 0 }]);
  await until(async () => (await readyz(processorUrl(processor))).status === 200);
  await until(async () => (await receiver!.metric('spor_ingest_shards_unavailable')) === 0);
  const again = await receiver.post({ events: [anEvent(0)] }, { headers: { 'x-instrumentation-key': other } });
  expect(again.status).toBe(202);
  await until(async () => (await storedIds()).length === ids.length + 2);
  expect(await metric(processorUrl(processor), `spor_processor_stream_set_back{shard="${SHARD}"`)).toBe(0);
  expect((await audit.completeness(TENANT)).fault).toBeUndefined();

  // The server comes back without any store: everybody recovers by himself, and the lost message is known.
  await settle();
  await processor.kill('SIGSTOP');
  expect((await receiver.post({ events: [anEvent(0)] }, { headers: { 'x-instrumentation-key': other } })).status).toBe(
    202,
  );
  await bench.nats.putStore('empty');
  await processor.kill('SIGCONT');
  // As a query server does, whose watch makes the buckets of keys and tokens.
  await until(async () => (await openSecretStore(bench.connection, KEYS_BUCKET, 1)) !== undefined);
  let known = '';
  await until(async () => (known = await receiver!.createKey({ tenantId: TENANT })) !== '');
  await until(async () => {
    const { status } = await receiver!.post({ events: [anEvent(0)] }, { headers: { 'x-instrumentation-key': known } });
    return status === 202;
  });
  await until(async () => (await storedIds()).length === ids.length + 3);
  await until(async () => (await readyz(processorUrl(processor))).status === 200);
  await until(async () => (await audit.completeness(TENANT)).fault?.code === 'stream_gone');
  const missing = async (): Promise<Loss[]> => (await readStreamsRecord(bench.manager))!.lost.filter(mayBeMissing);
  await until(async () => (await missing()).length === 1);
  expect(await missing()).toMatchObject([{ stream: streamName(SHARD), after: 1, last: 2 }]);
  await audit.close();
});

test('no reader claims anything before others can note a set-back store, whatever it has seen', async () => {
  const audit = createPipelineAudit(bench);
  const behind = createPipelineAudit(bench);
  await publish(1);
  expect((await behind.completeness(TENANT)).fault).toBeUndefined();
  const copy = await bench.nats.copyStore();
  await connected();
  await publish(2);
  expect((await audit.completeness(TENANT)).fault).toBeUndefined();
  // A question that is asked in vain meanwhile takes no memory away.
  await bench.nats.putStore(copy, () =>
    Promise.all([audit, behind].map((one) => expect(one.completeness(TENANT)).rejects.toThrow())),
  );
  await connected();
  expect((await audit.completeness(TENANT)).fault?.code).toBe('stream_set_back');
  expect(await behind.completeness(TENANT)).toMatchObject({
    acknowledgedBefore: null,
    fault: { code: 'stream_restarted' },
  });
  // Its next messages take the old sequences.
  await publish(3);
  expect(await audit.completeness(TENANT)).toMatchObject({
    acknowledgedBefore: null,
    fault: { code: 'stream_set_back' },
  });
  await Promise.all([audit.close(), behind.close()]);
});

test('a store that has grown past its old end is noticed, and carried over however often the command is killed', async () => {
  const first = await bench.processor();
  const { copy, ids } = await copyHalfWay();
  await first.kill('SIGSTOP');
  await bench.nats.putStore(copy);
  await connected();
  // No sequence tells, the times do.
  ids.push(...(await publish(9)));
  await first.kill('SIGCONT');
  await expectRefusal(processorUrl(first));
  await first.kill('SIGKILL');
  await bench.nats.putStore(copy);
  await connected();
  ids.splice(-9, 9, ...(await publish(9)));
  // The store has forgotten the note: the lake tells a processor that starts.
  const processor = await bench.processor();
  await expectRefusal(processorUrl(processor));
  receiver = await startReceiver(bench.nats.url, { env: { STREAM_MAX_BYTES: String(1 << 30) } });
  await expectRefusedShard(receiver.url);
  const { created } = await bench.manager.streams.info(streamName(SHARD));
  const audit = createPipelineAudit(bench);
  // The lake has another event with this receipt.
  const receipt = formatReceipt({ epoch: streamEpoch(created), shard: SHARD, sequence: 4, batch: 0 });
  expect((await audit.receipt(receipt, { tenantId: TENANT, segmentIds: [] })).states).toEqual({ accepted: 1 });
  await audit.close();

  for (const step of CARRY_STEPS) await expect(carry(step)).rejects.toThrow(Killed);
  await carry();
  await settle();
  expect(await storedIds()).toEqual([...ids].sort());
  expect((await readStreamsRecord(bench.manager))?.setBack).toEqual({});
  expect(await carry()).toEqual({ found: [], moved: [] });
});

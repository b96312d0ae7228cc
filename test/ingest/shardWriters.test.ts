import { jetstreamManager, type JetStreamManager } from '@nats-io/jetstream';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ByteBudget } from '../../ingest/byteBudget.ts';
import type { Batch } from '../../ingest/stream/placeBatch.ts';
import { ShardWriters } from '../../ingest/stream/shardWriters.ts';
import { shardOf, streamName, streamSubjects } from '../../schemas/subjects.ts';
import { connectNats, type NatsConnection } from '../../stream/nats.ts';
import { createStream } from '../../stream/streams.ts';
import { changeStreamsRecord, type StreamsRecord } from '../../stream/streamsRecord.ts';
import { startNats, type TestNats } from '../support/nats.ts';
import { PATIENCE_MS, until } from '../support/until.ts';
import { log } from './receiver.ts';

let nats: TestNats;
let connection: NatsConnection;
let manager: JetStreamManager;
let writers: ShardWriters;

const limits = { maxBytes: 1 << 24, replicas: 1 };
const change = (next: (record: StreamsRecord) => StreamsRecord): Promise<void> =>
  changeStreamsRecord(connection, { shards: 1, replicas: 1 }, next);
const close = (closing: boolean): Promise<void> =>
  change((now) => ({ ...now, growth: { shards: 2, at: '', ...(closing ? { closing } : {}) } }));
const held = async (shard: number): Promise<number> => (await manager.streams.info(streamName(shard))).state.messages;

/** Outcome of a batch of the tenant `shop`. */
function submit(withinMs = PATIENCE_MS): Promise<Parameters<Batch['settle']>[0]> {
  return new Promise((settle) => {
    const deadlineMs = performance.now() + withinMs;
    const of = { kind: 'events', tenantId: 'shop', segmentId: 'web' } as const;
    writers.submit({ ...of, header: '{}', lineEnds: [',"i":0}\n'], deadlineMs, settle });
  });
}

beforeAll(async () => {
  nats = await startNats();
  connection = await connectNats({ url: nats.url, name: 'test', log });
  manager = await jetstreamManager(connection);
  const budget = new ByteBudget(1 << 24);
  writers = await ShardWriters.open(connection, {
    range: { first: 0, shards: 1 },
    ...limits,
    mayCreate: true,
    budget,
    log,
  });
});

afterAll(async () => {
  writers.close();
  await connection.close();
  await nats.stop();
});

it('batches wait while a growth closes, and go to the new shards at its end', async () => {
  expect(await submit()).toMatchObject({ shard: 0, sequence: 1 });
  for (const shard of [1, 2]) {
    const stream = { name: streamName(shard), subjects: streamSubjects(shard) };
    const { created } = await createStream(manager, stream, { ...limits, shards: 2 });
    await change((now) => ({ ...now, created: { ...now.created, [shard]: created } }));
  }
  await close(true);
  // Until the receiver has seen it, batches go the old way.
  await until(async () => 'failed' in (await submit(300)));
  const before = await held(0);

  const putOff = submit();
  await close(false);
  expect(await putOff).toEqual({ failed: 'the growth of the shards was put off' });
  expect(await submit()).toMatchObject({ shard: 0 });

  await close(true);
  await until(async () => 'failed' in (await submit(300)));
  const waiting = [submit(), submit()];
  await change((now) => {
    const grown = { ...now, first: 1, shards: 2, before: [{ first: 0, shards: 1 }] };
    delete grown.growth;
    return grown;
  });
  const shard = shardOf('shop', 2, 1);
  for (const stored of await Promise.all(waiting)) expect(stored).toMatchObject({ shard });
  expect(await submit()).toMatchObject({ shard });
  expect(await held(shard)).toBeGreaterThan(0);
  expect(await held(0)).toBeGreaterThan(before);
});

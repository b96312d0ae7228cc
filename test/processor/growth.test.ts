import { jetstream, jetstreamManager, type JetStreamManager } from '@nats-io/jetstream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ReachGrowth } from '../../processor/failpoint.ts';
import { GROWTH_STEPS } from '../../processor/failpoint.ts';
import { GrowthCoordinator, planGrowth, type OldShard } from '../../processor/shards/growth.ts';
import { KnownStreams } from '../../processor/shards/knownStreams.ts';
import { createLog } from '../../runtime/log.ts';
import { shardNumbers, shardOf, streamName, streamSubjects } from '../../schemas/subjects.ts';
import { connectNats, type NatsConnection } from '../../stream/nats.ts';
import { Progress } from '../../stream/progress.ts';
import { ShardStreams } from '../../stream/shardStreams.ts';
import { ensureStreams } from '../../stream/streams.ts';
import { changeStreamsRecord, rangeOf, readStreamsRecord, type StreamsRecord } from '../../stream/streamsRecord.ts';
import { startNats, type TestNats } from '../support/nats.ts';

const log = createLog('test', 'silent');
const old = (change: Partial<OldShard> = {}): OldShard => ({
  shard: 0,
  lastSequence: 10,
  floor: 10,
  sealed: false,
  uncommittedBytes: 0,
  parked: false,
  setBack: false,
  ...change,
});
const state = { prepared: true, closingMs: 1_000, triedMs: Infinity };
const wanted = { shards: 8, at: '' };
const closing = { ...wanted, closing: true };

describe('a growth', () => {
  it('begins only where receivers need not hold for long', () => {
    expect(planGrowth(wanted, [old()], { ...state, prepared: false })).toEqual({ do: 'prepare' });
    expect(planGrowth(wanted, [old({ floor: 3, uncommittedBytes: 5_000_000 })], state)).toEqual({ do: 'close' });
    for (const obstacle of [{ uncommittedBytes: 1e9 }, { parked: true }, { setBack: true }])
      expect(planGrowth(wanted, [old(), old({ shard: 1, ...obstacle })], state)).toMatchObject({
        do: 'wait',
        for: expect.stringMatching(/^shard 1,/) as string,
      });
    expect(planGrowth(wanted, [old()], { ...state, triedMs: 1_000 })).toMatchObject({ do: 'wait' });
  });

  it('seals once all is in the lake, and takes back what takes too long', () => {
    expect(planGrowth(closing, [old()], { ...state, closingMs: 0 })).toEqual({ do: 'wait' });
    expect(planGrowth(closing, [old({ floor: 9 })], state)).toEqual({ do: 'wait' });
    expect(planGrowth(closing, [old()], state)).toEqual({ do: 'seal' });
    expect(planGrowth(closing, [old({ floor: 9 })], { ...state, closingMs: 60_000 })).toEqual({ do: 'open' });
  });

  it('only goes forward once a stream is sealed, and switches when the lake has the last message of each', () => {
    const late = { ...state, closingMs: 60_000 };
    expect(planGrowth(closing, [old({ sealed: true }), old({ floor: 9 })], late)).toEqual({ do: 'seal' });
    expect(planGrowth(wanted, [old({ sealed: true }), old({ parked: true })], late)).toEqual({ do: 'seal' });
    const sealed = old({ sealed: true });
    expect(planGrowth(closing, [sealed, old({ sealed: true, floor: 9 })], late)).toMatchObject({ do: 'wait' });
    expect(planGrowth(closing, [sealed, sealed], late)).toEqual({ do: 'switch' });
  });
});

describe('a growth that its owner does not finish', () => {
  let nats: TestNats;
  let connection: NatsConnection;
  let manager: JetStreamManager;
  const range = { first: 0, shards: 2 };
  const limits = { maxBytes: 1 << 24, replicas: 1 };
  const record = async (): Promise<StreamsRecord> => (await readStreamsRecord(manager))!;
  const publish = (shard: number): Promise<unknown> => jetstream(connection).publish(`events.${shard}.shop.web`, 'x');

  beforeAll(async () => {
    nats = await startNats();
    connection = await connectNats({ url: nats.url, name: 'test', log });
    manager = await jetstreamManager(connection);
    const streams = shardNumbers(range).map((shard) => ({ name: streamName(shard), subjects: streamSubjects(shard) }));
    await ensureStreams(connection, { streams, beyond: streamName(2), ...limits });
  });

  afterAll(async () => {
    await connection.close();
    await nats.stop();
  });

  it('is finished by the next one, whatever step it died at; a closed stream takes nothing more', async () => {
    const progress = await Progress.open(connection, { replicas: 1 });
    const access = { connection, manager, progress, known: new KnownStreams(), shards: 2, replicas: 1 };
    const owner = (reach: ReachGrowth): GrowthCoordinator => new GrowthCoordinator(access, { ...limits, reach, log });
    await publish(0);
    const { created } = await manager.streams.info(streamName(0));
    const reader = await ShardStreams.open(connection);
    expect(await reader.of('shop')).toMatchObject({ shard: shardOf('shop', 2) });
    await changeStreamsRecord(connection, { shards: 2, replicas: 1 }, (now) => ({
      ...now,
      growth: { shards: 3, at: '' },
    }));
    const seen = await record();

    const left = [...GROWTH_STEPS];
    for (let rounds = 0; left.length > 0 && rounds < 50; rounds++) {
      const dies = (step: string): void => {
        if (step === left[0]) throw new Error(`died at ${left.shift()}`);
      };
      const one = owner(dies);
      for (let steps = 0; steps < 5; steps++) {
        await one.step(await record()).catch(() => undefined);
        await new Promise((resolve) => setTimeout(resolve, 120)); // the time that receivers get to hold
      }
      if (left.length === 2) await progress.acknowledge(0, created, 1);
    }
    expect(left).toEqual([]);
    await progress.acknowledge(0, created, 1);
    await owner(() => undefined).step(await record());

    expect(rangeOf(await record())).toEqual({ first: 2, shards: 3 });
    expect(await record()).toMatchObject({ before: [range] });
    await expect(publish(0)).rejects.toThrow('sealed');
    await publish(2);
    await expect(reader.state({ shard: shardOf('shop', 2) })).rejects.toThrow('have just grown');
    expect(await reader.of('shop')).toMatchObject({ shard: shardOf('shop', 3, 2), first: 2 });
    expect(await reader.placeOf('shop', shardOf('shop', 2))).toMatchObject({ first: 0 });

    await owner(() => undefined).step(seen); // an owner that slept through it
    expect(rangeOf(await record())).toEqual({ first: 2, shards: 3 });
    expect(await record()).not.toHaveProperty('growth');
  });
});

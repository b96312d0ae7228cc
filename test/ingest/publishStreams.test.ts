import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PublishStreams } from '../../ingest/stream/publishStreams.ts';
import { connectNats, type NatsConnection } from '../../stream/nats.ts';
import { streamEpoch } from '../../schemas/receipt.ts';
import { streamName } from '../../schemas/subjects.ts';
import { startNats, type TestNats } from '../support/nats.ts';
import { until } from '../support/until.ts';
import { log } from './receiver.ts';

let nats: TestNats;
let connection: NatsConnection;
let streams: PublishStreams;
const known: number[] = [];

beforeAll(async () => {
  nats = await startNats();
  connection = await connectNats({ url: nats.url, name: 'test', log });
  streams = new PublishStreams(connection, { range: { first: 0, shards: 3 }, maxBytes: 10_000_000, replicas: 1, log });
  await streams.open();
  streams.onKnown(() => known.push(known.length));
});

afterAll(async () => {
  streams?.stop();
  await connection?.close();
  await nats?.stop();
});

const ack = (sequence: number, change: { stream?: string; duplicate?: boolean } = {}): number | undefined =>
  streams.acknowledged(0, { stream: streamName(0), sequence, duplicate: false, ...change });

describe('the identity of a stream', () => {
  it('is its creation time', async () => {
    const { created } = await (await jetstreamManager(connection)).streams.info(streamName(1));
    expect(streams.epoch(1)).toBe(streamEpoch(created));
  });

  it('is in doubt once a sequence comes that was passed, and known again once read', async () => {
    for (let sent = 0; sent < 10; sent++) await jetstream(connection).publish('events.0.demo.web', `message ${sent}`);
    expect(ack(5)).toBe(streams.epoch(0));
    expect(ack(9)).toBe(streams.epoch(0));
    expect(ack(3, { duplicate: true })).toBe(streams.epoch(0));
    const before = known.length;
    expect(ack(9)).toBeUndefined();
    expect(streams.epoch(0)).toBeUndefined();
    expect(streams.epoch(1)).toBeDefined();
    expect(ack(10)).toBeUndefined();
    await until(() => streams.epoch(0) !== undefined);
    expect(known.length).toBeGreaterThan(before);
    expect(ack(10)).toBe(streams.epoch(0));
  });

  it('is in doubt when another stream answers', async () => {
    expect(ack(11, { stream: 'ANOTHER' })).toBeUndefined();
    await until(() => streams.epoch(0) !== undefined);
  });

  it('is read for each stream by itself: one that is gone is made anew', async () => {
    const manager = await jetstreamManager(connection);
    const epochs = [0, 1, 2].map((shard) => streams.epoch(shard)!);
    await manager.streams.delete(streamName(2));
    await until(() => streams.epoch(2) === undefined || streams.epoch(2)! > epochs[2]!);
    await until(() => streams.epoch(2) !== undefined && streams.epoch(2)! > epochs[2]!);
    expect([streams.epoch(0), streams.epoch(1)]).toEqual(epochs.slice(0, 2));
    await nats.restart();
    await until(async () => (await connection.flush(), true));
    streams.doubt();
    await until(() => [0, 1, 2].every((shard) => streams.epoch(shard) !== undefined));
  });
});

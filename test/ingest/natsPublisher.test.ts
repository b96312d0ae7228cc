import { jetstreamManager } from '@nats-io/jetstream';
import { expect, it, onTestFinished } from 'vitest';
import { NatsPublisher } from '../../ingest/stream/natsPublisher.ts';
import { PublishStreams } from '../../ingest/stream/publishStreams.ts';
import type { Published } from '../../ingest/stream/publisher.ts';
import { ShardHealth } from '../../ingest/stream/shardHealth.ts';
import { startProxy } from '../../scripts/chaos/proxy.ts';
import { connectNats } from '../../stream/nats.ts';
import { streamName } from '../../schemas/subjects.ts';
import { startNats } from '../support/nats.ts';
import { PATIENCE_MS, until } from '../support/until.ts';
import { log } from './receiver.ts';

it('a message acknowledged while its stream is in doubt is answered once the stream is known, and stored once', async () => {
  const nats = await startNats();
  const proxy = await startProxy({ host: '127.0.0.1', port: nats.port });
  const connection = await connectNats({ url: nats.url, name: 'test', log });
  // Streams are read over a link of their own, so that they can stay in doubt.
  const link = await connectNats({ url: nats.url.replace(String(nats.port), String(proxy.port)), name: 'test', log });
  const streams = new PublishStreams(link, { range: { first: 0, shards: 1 }, maxBytes: 10_000_000, replicas: 1, log });
  await streams.open();
  const publisher = new NatsPublisher(connection, streams, { log, health: [new ShardHealth()] });
  onTestFinished(async () => {
    publisher.close();
    streams.stop();
    await connection.close();
    await link.close();
    await proxy.close();
    await nats.stop();
  });

  const manager = await jetstreamManager(connection);
  const outcomes: object[] = [];
  publisher.publish([
    {
      shard: 0,
      subject: 'events.0.demo.web',
      payload: Buffer.from('kept'),
      events: 1,
      deadlineMs: performance.now() + PATIENCE_MS,
      done: (outcome) => outcomes.push(outcome),
    },
  ]);
  proxy.disturb('black-hole');
  streams.doubt();
  await until(async () => (await manager.streams.info(streamName(0))).state.last_seq === 1);
  await connection.flush(); // so the acknowledgement has arrived
  expect([outcomes, streams.epoch(0)]).toEqual([[], undefined]);
  proxy.restore();
  await until(() => outcomes.length === 1);
  expect((outcomes[0] as Published).sequence).toBe(1);
  expect((await manager.streams.info(streamName(0))).state.last_seq).toBe(1);
});

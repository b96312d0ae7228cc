import { PassThrough } from 'node:stream';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createLog } from '../../runtime/log.ts';
import { connectNats, type NatsConnection } from '../../stream/nats.ts';
import { openSecretStore, watchSecrets } from '../../stream/secretStore.ts';
import { Progress } from '../../stream/progress.ts';
import { ensureStreams } from '../../stream/streams.ts';
import { readStreamsRecord } from '../../stream/streamsRecord.ts';
import { streamName, streamSubjects } from '../../schemas/subjects.ts';
import { startNats, type TestNats } from '../support/nats.ts';
import { until } from '../support/until.ts';

const log = createLog('test', 'silent');
let nats: TestNats;
let connection: NatsConnection;

beforeAll(async () => {
  nats = await startNats();
  connection = await connectNats({ url: nats.url, name: 'test', log });
});

afterAll(async () => {
  await connection?.close();
  await nats?.stop();
});

describe('streams', () => {
  const config = (shards: number): Parameters<typeof ensureStreams>[1] => ({
    streams: Array.from({ length: shards }, (_, shard) => ({
      name: streamName(shard),
      subjects: streamSubjects(shard),
    })),
    beyond: streamName(shards),
    maxBytes: 50_000_000,
    replicas: 1,
  });

  it('are created once, by whoever comes first', async () => {
    const [first, second] = await Promise.all([
      ensureStreams(connection, config(2)),
      ensureStreams(connection, config(2)),
    ]);
    expect(first.map((info) => info!.created)).toEqual(second.map((info) => info!.created));
    const { config: stored } = first[0]!;
    expect(stored).toMatchObject({
      retention: 'limits',
      discard: 'new',
      storage: 'file',
      max_bytes: 50_000_000,
      max_age: 0,
    });
  });

  it('keep what they acknowledged through a SIGKILL', async () => {
    const ack = await jetstream(connection).publish('events.0.demo.web', 'kept');
    await nats.restart();
    await until(async () => !connection.isClosed() && (await connection.flush(), true));
    const message = await (await jetstreamManager(connection)).streams.getMessage(streamName(0), { seq: ack.seq });
    expect(message?.string()).toBe('kept');
  });

  it('refuse another number of shards', async () => {
    for (const shards of [1, 3]) {
      const refused = `another number of shards than SPOR_SHARDS=${shards}: set it to 2`;
      await expect(ensureStreams(connection, config(shards))).rejects.toThrow(refused);
    }
  });

  it('are made anew where they are missing, loudly, whichever it is', async () => {
    const manager = await jetstreamManager(connection);
    const [first, second] = await ensureStreams(connection, config(2));
    for (const [shard, missing] of [first!, second!].entries()) {
      await manager.streams.delete(streamName(shard));
      const lines: string[] = [];
      const written = new PassThrough();
      written.on('data', (line: Buffer) => lines.push(line.toString()));
      const infos = await ensureStreams(connection, { ...config(2), log: pino({}, written) });
      expect(infos[shard]?.created).not.toBe(missing.created);
      expect(infos[1 - shard]).toBeDefined();
      expect(lines.join('')).toContain(`"code":"stream_gone","stream":"${streamName(shard)}"`);
      const { lost } = (await readStreamsRecord(manager))!;
      expect(lost).toContainEqual(expect.objectContaining({ stream: streamName(shard), created: missing.created }));
    }
  });

  it('are as many as before the record of their number existed', async () => {
    const manager = await jetstreamManager(connection);
    await manager.streams.delete('KV_spor_streams');
    await manager.streams.delete(streamName(0));
    await expect(ensureStreams(connection, config(3))).rejects.toThrow('set it to 2');
    expect(await ensureStreams(connection, config(2))).toHaveLength(2);
    // The last stream is missing: a committed position tells.
    await manager.streams.delete('KV_spor_streams');
    await manager.streams.delete(streamName(1));
    await (await Progress.open(connection, { replicas: 1 })).acknowledge(1, 'of the stream before', 7);
    expect((await ensureStreams(connection, config(2))).map((info) => info?.config.name)).toEqual([
      'EVENTS_0',
      'EVENTS_1',
    ]);
  });
});

describe('secret store', () => {
  it('is followed from an empty bucket on', async () => {
    const watch = await watchSecrets<{ n: number }>(connection, 'test_secrets', 1, log);
    expect(watch.size).toBe(0);
    const store = await openSecretStore<{ n: number }>(connection, 'test_secrets', 1);
    await store.create('abc', { n: 1 });
    await until(() => watch.get('abc')?.n === 1);
    await store.update('abc', (record) => ({ n: record.n + 1 }));
    await until(() => watch.get('abc')?.n === 2);
    await expect(store.create('abc', { n: 9 })).rejects.toThrow();
    expect(await store.update('nobody', (record) => record)).toBeUndefined();
    watch.stop();
  });

  it('knows everything that exists once the watch resolves', async () => {
    const store = await openSecretStore<{ n: number }>(connection, 'many_secrets', 1);
    for (let n = 0; n < 50; n++) await store.create(`key${n}`, { n });
    const watch = await watchSecrets<{ n: number }>(connection, 'many_secrets', 1, log);
    expect(watch.size).toBe(50);
    expect(await store.list()).toHaveLength(50);
    watch.stop();
  });

  it('is followed again when its consumer has died in silence', async () => {
    const store = await openSecretStore<{ n: number }>(connection, 'lost_watch', 1);
    const watch = await watchSecrets<{ n: number }>(connection, 'lost_watch', 1, log);
    await store.create('abc', { n: 1 });
    await until(() => watch.get('abc')?.n === 1 && watch.current);
    const manager = await jetstreamManager(connection);
    for await (const { name } of manager.consumers.list('KV_lost_watch'))
      await manager.consumers.delete('KV_lost_watch', name);
    await store.update('abc', () => ({ n: 2 }));
    await until(() => watch.get('abc')?.n === 2);
    expect(watch.staleSinceMs).toBeUndefined();
    watch.stop();
  });

  it('is not current while its server does not answer, and is again soon after', async () => {
    const watch = await watchSecrets<{ n: number }>(connection, 'paused_secrets', 1, log);
    await until(() => watch.current);
    await nats.kill('SIGSTOP');
    await until(() => !watch.current && watch.staleSinceMs !== undefined);
    expect(await watch.untilCurrent()).toBe(false);
    await nats.kill('SIGCONT');
    await until(() => watch.current && watch.staleSinceMs === undefined);
    watch.stop();
  });

  it('is current although its last record was purged', async () => {
    const store = await openSecretStore<{ n: number }>(connection, 'purged_secrets', 1);
    const watch = await watchSecrets<{ n: number }>(connection, 'purged_secrets', 1, log);
    await store.create('first', { n: 1 });
    await store.create('last', { n: 2 });
    await until(() => watch.size === 2);
    await (await jetstreamManager(connection)).streams.deleteMessage('KV_purged_secrets', 2);
    const again = await watchSecrets<{ n: number }>(connection, 'purged_secrets', 1, log);
    await until(() => watch.current && again.current);
    expect([watch.staleSinceMs, again.staleSinceMs, again.size]).toEqual([undefined, undefined, 1]);
    watch.stop();
    again.stop();
  });
});

import { jetstreamManager, type JetStreamManager } from '@nats-io/jetstream';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { freePort } from '../../scripts/freePort.ts';
import { createLog } from '../../runtime/log.ts';
import { streamName, streamSubjects } from '../../schemas/subjects.ts';
import { applyLimits } from '../../stream/limits.ts';
import { connectNats, type NatsConnection } from '../../stream/nats.ts';
import { Progress } from '../../stream/progress.ts';
import { ensureStreams } from '../../stream/streams.ts';
import { startReceiver } from '../ingest/receiver.ts';
import { startNats, type TestNats } from '../support/nats.ts';
import { runSpor } from '../support/runScript.ts';
import { until } from '../support/until.ts';

const log = createLog('test', 'silent');
const access = { mayPublish: () => true, log };
const MIB = 1_048_576;
const servers: TestNats[] = [];
let connection: NatsConnection;
let manager: JetStreamManager;

beforeAll(async () => {
  const ports = [await freePort(), await freePort(), await freePort()];
  const routes = ports.map((port) => `"nats://127.0.0.1:${port}"`).join(', ');
  const cluster = (index: number): string =>
    `server_name: "limits-${index}"\ncluster { name: "limits", listen: "127.0.0.1:${ports[index]}", routes: [${routes}] }`;
  servers.push(...(await Promise.all(ports.map((_, index) => startNats({ extraConfig: cluster(index) })))));
  connection = await connectNats({ url: servers[0]!.url, name: 'test', log });
  const streams = [{ name: streamName(0), subjects: streamSubjects(0) }];
  await until(async () => {
    await ensureStreams(connection, { streams, beyond: streamName(1), maxBytes: 50 * MIB, replicas: 1 });
    return true;
  });
  await Progress.open(connection, { replicas: 1 });
  manager = await jetstreamManager(connection);
});
afterAll(async () => {
  await connection?.close();
  for (const server of servers) await server.stop();
});

const limitsOf = async (name: string): Promise<{ copies: number; maxBytes: number }> => {
  const { config } = await manager.streams.info(name);
  return { copies: config.num_replicas, maxBytes: config.max_bytes };
};

const range = { first: 0, shards: 1 };

test('limits of the settings are applied to what exists, and a loss of copies is refused', async () => {
  await until(async () => (await applyLimits(connection, { range, replicas: 3, maxBytes: 60 * MIB }, access), true));
  expect(await limitsOf(streamName(0))).toEqual({ copies: 3, maxBytes: 60 * MIB });
  expect((await limitsOf('KV_spor_progress')).copies).toBe(3);
  await applyLimits(connection, { range, replicas: 3, maxBytes: 20 * MIB }, access);
  expect((await limitsOf(streamName(0))).maxBytes).toBe(20 * MIB);
  await applyLimits(connection, { range, replicas: 3 }, access); // a service without the setting
  expect((await limitsOf(streamName(0))).maxBytes).toBe(20 * MIB);
  await expect(applyLimits(connection, { range, replicas: 1 }, access)).rejects.toThrow(
    'NATS_REPLICAS=1, but EVENTS_0 has 3 copies',
  );
  await expect(applyLimits(connection, { range, replicas: 5 }, access)).rejects.toThrow(
    'NATS_REPLICAS=5, but EVENTS_0 has 3 copies',
  );
  // A command is told nothing and still makes its buckets with as many copies.
  const env = { NATS_URL: servers[0]!.url, SPOR_SHARDS: '1', LAKE_URL: 'file:/tmp/none' };
  expect((await runSpor(['keys', 'list'], { env })).code).toBe(0);
  expect((await limitsOf('KV_spor_keys')).copies).toBe(3);
});

test('more copies than a server alone can keep are refused by services and commands, with both numbers', async () => {
  const nats = await startNats();
  try {
    const message = /NATS_REPLICAS=3, but nats-server .* runs alone and keeps 1 copy: set NATS_REPLICAS=1/;
    await expect(startReceiver(nats.url, { env: { NATS_REPLICAS: '3' } })).rejects.toThrow(message);
    const { code, stderr } = await runSpor(['keys', 'list'], { env: { NATS_URL: nats.url, NATS_REPLICAS: '3' } });
    expect(code).toBe(1);
    expect(stderr).toMatch(message);
  } finally {
    await nats.stop();
  }
});

import { jetstreamManager, type JetStreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { KEYS_BUCKET } from '../../stream/buckets.ts';
import { secretHash, type KeyRecord } from '../../schemas/keys.ts';
import { shardOf, streamName } from '../../schemas/subjects.ts';
import { Failover } from '../../stream/failover.ts';
import { ServerChoice } from '../../stream/serverChoice.ts';
import { anEvent, log, makeKey, startReceiver, type Receiver } from '../ingest/receiver.ts';
import { freePort } from '../../scripts/freePort.ts';
import { startNatsCluster, type ClusterNode, type TestCluster } from '../support/natsCluster.ts';
import { startProcessor, type TestProcessor } from '../support/testPipeline.ts';
import { until } from '../support/until.ts';

const SHARDS = 4;
/** A tenant for each shard. */
const TENANTS = Array.from({ length: SHARDS }, (_, shard) => tenantOf(shard));
const ENV = { NATS_REPLICAS: '3' };

let cluster: TestCluster;
let receiver: Receiver;
let manager: JetStreamManager;
let processor: TestProcessor | undefined;
const keys: string[] = [];

beforeAll(async () => {
  cluster = await startNatsCluster();
  receiver = await startReceiver(cluster.url, { env: ENV });
  manager = await jetstreamManager(receiver.connection, { checkAPI: false });
  for (const tenantId of TENANTS) keys.push(await receiver.createKey({ tenantId }));
});

afterAll(async () => {
  await processor?.kill('SIGKILL');
  await receiver?.close();
  await cluster?.stop();
});

function tenantOf(shard: number): string {
  for (let n = 0; ; n++) if (shardOf(`shop-${n}`, SHARDS) === shard) return `shop-${n}`;
}

const send = async (key: string): Promise<Response> => receiver.post({ instrumentationKey: key, events: [anEvent()] });

const ready = async (): Promise<boolean> => (await fetch(`${receiver.url}/readyz`)).ok;

/** Waits until every tenant gets a 202 in one round, and the receiver says that it is ready. */
const served = (): Promise<void> =>
  until(async () => (await Promise.all(keys.map(send))).every(({ status }) => status === 202) && (await ready()));

/** Servers that know of a connection of the receiver; one that is cut off may know an old one. */
async function serversOfReceiver(): Promise<ClusterNode[]> {
  const known: ClusterNode[] = [];
  for (const node of cluster.nodes) {
    const response = await fetch(`${node.monitorUrl}/connz`).catch(() => undefined); // it may be down
    const { connections } = ((await response?.json()) ?? { connections: [] }) as { connections: { name?: string }[] };
    if (connections.some(({ name }) => name === 'spor-ingest')) known.push(node);
  }
  return known;
}

async function serverOfReceiver(): Promise<ClusterNode> {
  let known: ClusterNode[] = [];
  await until(async () => (known = await serversOfReceiver()).length === 1);
  return known[0]!;
}

/** Messages in all shards. */
async function messages(): Promise<number> {
  let sum = 0;
  await until(async () => {
    const infos = await Promise.all(TENANTS.map((_, shard) => manager.streams.info(streamName(shard))));
    return (sum = infos.reduce((total, { state }) => total + state.messages, 0)) > 0;
  });
  return sum;
}

const named = (name: string): ClusterNode => cluster.nodes.find((node) => node.name === name)!;

it('a link that is dead, with full send buffers: the receiver goes to another server', async () => {
  await served();
  const node = await serverOfReceiver();
  let sending = true;
  const properties = { fill: 'x'.repeat(10_000) };
  const flood = Array.from({ length: 32 }, async () => {
    while (sending) {
      const events = Array.from({ length: 20 }, () => anEvent('Search', { properties }));
      await receiver.post({ instrumentationKey: keys[0], events });
    }
  });
  node.clients.disturb('stall');
  try {
    await until(async () => !(await ready()));
    await served();
    expect((await serversOfReceiver()).some((other) => other !== node)).toBe(true);
  } finally {
    sending = false;
    await Promise.all(flood);
    node.clients.restore();
  }
});

it('a server cut off from the others: a receiver attached to it goes to one of them', async () => {
  await served();
  const node = await serverOfReceiver();
  node.isolate();
  await until(async () => !(await ready()));
  await served();
  expect((await serverOfReceiver()).name).not.toBe(node.name);
  node.rejoin();
  await served();
});

it('a server killed with the consumer that tells of keys: a revoked key is refused within two seconds', async () => {
  const revoked = await makeKey(receiver.keys, { tenantId: TENANTS[0]! });
  await until(async () => (await send(revoked)).status === 202);
  // Requests of this test's own connection may meet an election.
  let name: string | undefined;
  await until(async () => {
    const [consumer] = await manager.consumers.list(`KV_${KEYS_BUCKET}`).next();
    return (name = consumer?.cluster?.leader) !== undefined;
  });
  const node = named(name!);
  await node.nats.kill('SIGKILL');
  await served();
  const revoke = (record: KeyRecord): KeyRecord => ({ ...record, revokedAt: new Date().toISOString() });
  await until(async () => (await receiver.keys.update(secretHash(revoked), revoke)) !== undefined);
  const revokedAt = performance.now();
  for (let answer: Response | undefined; answer?.status !== 401;) {
    const sentAt = performance.now();
    answer = await send(revoked);
    expect(sentAt - revokedAt > 2_000 && answer.status === 202).toBe(false);
  }
});

it('two of three servers gone: refused at once and not ready until they are back, one with an empty disk', async () => {
  const up: ClusterNode[] = [];
  for (const node of cluster.nodes) if (await fetch(`${node.monitorUrl}/healthz`).catch(() => undefined)) up.push(node);
  expect(up).toHaveLength(2);
  const [killed, survivor] = up;
  const emptied = cluster.nodes.find((node) => !up.includes(node));
  const stored = await messages();
  const choice = new ServerChoice();
  const client = await connect({ servers: survivor!.url, maxReconnectAttempts: -1, reconnectToServer: choice.choose });
  new Failover({ connection: client, dial: { reconnect: false }, choice, log, random: () => 0 }).start();
  await killed!.nats.kill('SIGKILL');
  await until(async () => !(await ready()));
  const port = await freePort();
  const processorReady = async (): Promise<string> => (await fetch(`http://127.0.0.1:${port}/readyz`)).text();
  const starting = startProcessor({
    ...ENV,
    PROCESSOR_PORT: String(port),
    NATS_URL: cluster.url,
    LAKE_URL: `file:${cluster.dir}/lake`,
    WORK_DIR: `${cluster.dir}/work`,
  });
  await until(async () => (await processorReady()).includes('waiting for the event streams'));
  const refused = await Promise.all(Array.from({ length: 20 }, () => send(keys[0]!)));
  expect(refused.map(({ status, headers }) => [status, headers.get('retry-after')])).toEqual(
    refused.map(() => [503, '1']),
  );
  await Promise.all([killed!.nats.restart(), emptied!.wipe()]);
  await served();
  expect(await messages(), 'with what was acknowledged before').toBeGreaterThan(stored);
  // Clients spread over the servers again.
  await until(() => `nats://${client.getServer()}` !== survivor!.url);
  await client.close();
  processor = await starting;
  await until(async () => (await processorReady()).includes('"ready"'));
});

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startProxy, type LinkMode, type Proxy } from '../../scripts/chaos/proxy.ts';
import { freePort } from '../../scripts/freePort.ts';
import { natsConfig } from '../../scripts/stack/natsConfig.ts';
import { startNats, type TestNats } from './nats.ts';

/** A server of a cluster, whose clients come through a proxy. */
export interface ClusterNode {
  name: string;
  /** Address of the proxy; the server tells clients no other. */
  url: string;
  nats: TestNats;
  /** Address of HTTP monitoring, which no proxy disturbs. */
  monitorUrl: string;
  /** The link of clients to this server. */
  clients: Pick<Proxy, 'disturb' | 'restore'>;
  /** Cuts the server off from the other servers; its clients still reach it. */
  isolate(mode?: LinkMode): void;
  rejoin(): void;
  /** Starts it again with an empty store. */
  wipe(): Promise<void>;
}

export interface TestCluster {
  nodes: ClusterNode[];
  /** All addresses, for `NATS_URL`. */
  url: string;
  /** Folder for a lake and the like, removed at the end. */
  dir: string;
  stop(): Promise<void>;
}

const SIZE = 3;

/**
 * Three real nats-servers as one cluster.
 *
 * Each server reaches each other one through a proxy of its own, and tells clients and servers no other address.
 */
export async function startNatsCluster(): Promise<TestCluster> {
  const ports = await distinctPorts(SIZE * 4);
  const members = Array.from({ length: SIZE }, (_, index) => ({
    name: `nats-${index + 1}`,
    clientPort: ports[index]!,
    routePort: ports[SIZE + index]!,
    monitorPort: ports[2 * SIZE + index]!,
    unusedPort: ports[3 * SIZE + index]!,
  }));
  /** Proxies of routes, by the names of both ends. */
  const routes = new Map<string, Proxy>();
  for (const from of members) {
    for (const to of members.filter((other) => other !== from)) {
      routes.set(`${from.name} ${to.name}`, await startProxy({ host: '127.0.0.1', port: to.routePort }));
    }
  }
  const nodes = await Promise.all(
    members.map(async ({ name, clientPort, routePort, monitorPort, unusedPort }): Promise<ClusterNode> => {
      const clients = await startProxy({ host: '127.0.0.1', port: clientPort });
      const dir = await mkdtemp(join(tmpdir(), 'spor-test-cluster-'));
      const own = [...routes].filter(([ends]) => ends.split(' ').includes(name)).map(([, proxy]) => proxy);
      const config = natsConfig({
        serverName: name,
        port: clientPort,
        monitorPort,
        storeDir: join(dir, 'js'),
        portsDir: dir,
        clientAdvertise: `127.0.0.1:${clients.port}`,
        cluster: {
          port: routePort,
          routes: [...routes]
            .filter(([ends]) => ends.startsWith(`${name} `))
            .map(([, { port }]) => `127.0.0.1:${port}`),
          advertise: `127.0.0.1:${unusedPort}`,
        },
      });
      const nats = await startNats({ dir, config, port: clientPort });
      return {
        name,
        url: `nats://127.0.0.1:${clients.port}`,
        nats,
        monitorUrl: `http://127.0.0.1:${monitorPort}`,
        clients,
        isolate: (mode = 'black-hole') => own.forEach((proxy) => proxy.disturb(mode)),
        rejoin: () => own.forEach((proxy) => proxy.restore()),
        wipe: async () => {
          await nats.kill('SIGKILL');
          await rm(join(dir, 'js'), { recursive: true, force: true });
          await nats.restart();
        },
      };
    }),
  );
  const dir = await mkdtemp(join(tmpdir(), 'spor-test-cluster-'));
  return {
    nodes,
    dir,
    url: nodes.map(({ url }) => url).join(','),
    async stop() {
      await Promise.all(nodes.map(({ nats }) => nats.stop()));
      await rm(dir, { recursive: true, force: true, maxRetries: 10 });
      await Promise.all(
        [...routes.values(), ...nodes.map(({ clients }) => clients as Proxy)].map((proxy) => proxy.close()),
      );
    },
  };
}

async function distinctPorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) ports.add(await freePort());
  return [...ports];
}

import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { freePort } from '../freePort.ts';
import type { NatsCluster } from '../stack/natsConfig.ts';
import type { StackProcess } from '../stack/child.ts';
import { killStray } from '../stack/processes.ts';
import { natsSpec, type StackSettings } from '../stack/services.ts';
import { keepRunning, type KeptRunning } from './keepRunning.ts';
import { startProxy, type Proxy } from './proxy.ts';

/** One nats-server of a run. */
export interface StreamServer {
  /** `nats`, `nats-2`, … */
  name: string;
  kept: KeptRunning;
  /** Loopback port, without a proxy. */
  port: number;
  /** Folder of JetStream's store. */
  storeDir: string;
  /** Links of a cluster's server to its clients, and to the other servers; empty for a single one. */
  clients: Proxy[];
  routes: Proxy[];
}

interface StreamServersOptions extends StackSettings {
  cluster: boolean;
  onStart: () => void;
  /** Receives every proxy at its start, to close it at the end. */
  onProxy: (proxy: Proxy) => void;
}

const CLUSTER_SIZE = 3;
const LOOPBACK = '127.0.0.1';

/**
 * Starts one nats-server, or three as a cluster.
 *
 * In a cluster each server reaches each other one through a proxy of its own, and so do its clients. Servers tell clients
 * and servers no other address.
 */
export async function startStreamServers(options: StreamServersOptions): Promise<StreamServer[]> {
  const { cluster, onProxy } = options;
  const open = async (target: { host: string; port: number }): Promise<Proxy> => {
    const proxy = await startProxy(target);
    onProxy(proxy);
    return proxy;
  };
  if (!cluster) return [await (await prepareServer(options, { index: 0, clients: [], routes: [] }))()];
  const ports = new Set<number>();
  while (ports.size < 2 * CLUSTER_SIZE) ports.add(await freePort());
  const all = [...ports];
  const password = randomBytes(16).toString('hex');
  const indexes = Array.from({ length: CLUSTER_SIZE }, (_, index) => index);
  const routes: { from: number; to: number; proxy: Proxy }[] = [];
  for (const from of indexes) {
    for (const to of indexes.filter((index) => index !== from))
      routes.push({ from, to, proxy: await open({ host: LOOPBACK, port: all[to]! }) });
  }
  const starts: (() => Promise<StreamServer>)[] = [];
  for (const index of indexes) {
    const target = { host: LOOPBACK, port: 0 };
    const clients = await open(target);
    const start = await prepareServer(options, {
      index,
      clients: [clients],
      routes: routes.filter(({ from, to }) => from === index || to === index).map(({ proxy }) => proxy),
      cluster: {
        port: all[index]!,
        password,
        routes: routes.filter(({ from }) => from === index).map(({ proxy }) => `${LOOPBACK}:${proxy.port}`),
        // Nobody listens there, so no server finds a way around the proxies.
        advertise: `${LOOPBACK}:${all[CLUSTER_SIZE + index]!}`,
      },
    });
    starts.push(async () => {
      const server = await start();
      target.port = server.port;
      return server;
    });
  }
  return Promise.all(starts.map((start) => start()));
}

/** Writes a server's configuration, and returns its start. */
async function prepareServer(
  { onStart, ...settings }: StreamServersOptions,
  place: { index: number; cluster?: NatsCluster } & Pick<StreamServer, 'clients' | 'routes'>,
): Promise<() => Promise<StreamServer>> {
  const { index, cluster, clients, routes } = place;
  const [advertised] = clients;
  const spec = await natsSpec(settings, {
    index,
    ...(cluster ? { cluster } : {}),
    ...(advertised ? { clientAdvertise: `${LOOPBACK}:${advertised.port}` } : {}),
  });
  const storeDir = join(settings.dir, spec.name, 'jetstream');
  return async () => {
    const kept = await keepRunning(spec, {
      log: settings.log,
      onStart,
      onEnd: (facts) => killStray(Number(facts.serverPid)),
    });
    return { name: spec.name, kept, port: Number(kept.facts.port), storeDir, clients, routes };
  };
}

/** Pid of a server's own process, undefined while it is down. */
export function serverPid({
  child,
  facts,
}: {
  child: StackProcess | undefined;
  facts: KeptRunning['facts'];
}): number | undefined {
  return child && Number(facts.serverPid);
}

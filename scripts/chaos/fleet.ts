import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { delay } from '../../runtime/retry.ts';
import type { StackProcess, ChildSpec } from '../stack/child.ts';
import type { NatsSettings } from '../../stream/credentials.ts';
import { identityEnv, identitySettings, operatorSettings, stackIdentities } from '../stack/identities.ts';
import { serviceSpecs } from '../stack/services.ts';
import type { Link } from './fault.ts';
import { fleetSettings } from './fleetSettings.ts';
import { keepRunning, type KeptRunning } from './keepRunning.ts';
import { openProcessClock } from './processClock.ts';
import { startProxy, type Proxy } from './proxy.ts';
import { STEP_SUBJECTS } from './stepEvents.ts';
import { serverPid, startStreamServers, type StreamServer } from './streamServers.ts';
import { PROBE_TENANT } from './tenants.ts';

/** Roles of processes; in a cluster there are several of each. */
export const FLEET_ROLES = ['nats', 'ingest', 'processor', 'lake'] as const;
export type FleetRole = (typeof FLEET_ROLES)[number];
/** `ingest`, `ingest-2`, … */
export type ProcessName = FleetRole | `${FleetRole}-${number}`;

export interface FleetOptions {
  /** Folder for logs, stores and scratch files. */
  dir: string;
  lakeUrl: string;
  env: Record<string, string | undefined>;
  /** Three stream servers, and two of each service. */
  cluster: boolean;
  /** The S3 service, if it holds the lake. */
  s3?: { host: string; port: number };
  log: (line: string) => void;
}

/** Spor's local processes, each behind proxies, and restarted whenever they end. */
export interface Fleet {
  cluster: boolean;
  /** Base URLs of the Event Receivers, through the clients' proxies. */
  ingestUrls: readonly string[];
  /** The same without proxies. */
  receiverUrls: readonly string[];
  processorUrls: readonly string[];
  queryUrls: readonly string[];
  /** Connection of the operator, without a proxy. */
  nats: NatsSettings;
  /** The same as an identity that may only see the steps. */
  watcher: NatsSettings;
  /** Variables for the operator's commands. */
  env: Record<string, string>;
  /** Links by name; of those in one group, all are disturbed at once. */
  links: Partial<Record<Link, Proxy[][]>>;
  members: (role: FleetRole) => readonly ProcessName[];
  /** Folder with the store of a stream server. */
  storeDir: (name: ProcessName) => string;
  /** Pid of a process, undefined while it is down; for nats, the server's own. */
  pid: (name: ProcessName) => number | undefined;
  /** Sends a signal; false while the process is down. */
  signal: (name: ProcessName, signal: NodeJS.Signals) => boolean;
  /** Sets variables for the next start of a process only. */
  arm: (name: ProcessName, env: Record<string, string>) => void;
  /** Number of starts of a process. */
  starts: (name: ProcessName) => number;
  /** Waits until a process is up after more than `starts` starts. */
  restarted: (name: ProcessName, starts: number, withinMs: number) => Promise<boolean>;
  /** Kills processes, runs a task while all of them are down, and starts them again. */
  whileDown: (names: readonly ProcessName[], task: () => Promise<void>) => Promise<void>;
  /** Shifts the clock of a process until its end; of a service, that of its own code. */
  setClock: (name: ProcessName, offsetMs: number) => Promise<void>;
  /** Ends a process gracefully, for good. */
  retire: (name: ProcessName) => Promise<void>;
  stop: () => Promise<void>;
}

const WATCHER = 'chaos';
const CLOCK_JUMP = new URL('./clockJump.ts', import.meta.url).href;
const PROCESSORS = 2;

export async function startFleet(options: FleetOptions): Promise<Fleet> {
  const { dir, lakeUrl, cluster, s3, log } = options;
  const env = fleetSettings(options.env, { cluster });
  const kept = new Map<string, KeptRunning>();
  const armed = new Map<string, Record<string, string>>();
  const proxies: Proxy[] = [];
  const links: Partial<Record<Link, Proxy[][]>> = {};
  const proxy = async (link: Link, port: number, host = '127.0.0.1'): Promise<Proxy> => {
    const started = await startProxy({ host, port });
    proxies.push(started);
    (links[link] ??= []).push([started]);
    return started;
  };
  const isNats = (name: string): boolean => roleOf(name) === 'nats';
  const stop = async (): Promise<void> => {
    for (const { child } of kept.values()) if (child) resume(child);
    for (const process of [...kept.values()].reverse()) await process.stop();
    for (const one of proxies) await one.close();
  };
  await mkdir(join(dir, 'logs'), { recursive: true });
  const tellGuards = (): void => {
    const companions = [...kept].flatMap(([name, { child }]) => (isNats(name) || !child ? [] : [child.pid]));
    for (const [name, { child }] of kept) if (isNats(name)) child?.send({ companions });
  };
  try {
    const settings = { dir, env, ports: 'free' as const, log };
    const onProxy = (started: Proxy): void => void proxies.push(started);
    const servers = await startStreamServers({ ...settings, cluster, onStart: tellGuards, onProxy });
    for (const { name, kept: server } of servers) kept.set(name, server);
    await addWatcher(dir);
    if (cluster) {
      links['clients-nats'] = servers.map(({ clients }) => clients);
      links['nats-nats'] = servers.map(({ routes }) => routes);
    }
    const natsUrl = servers.map(({ port }) => `nats://127.0.0.1:${port}`).join(',');
    const others = cluster ? 2 : 1;
    const specs = serviceSpecs(settings, { natsUrl, lakeUrl, processors: PROCESSORS, others });
    const started = await Promise.allSettled(
      specs.map(async (spec) => {
        const own = await waysOf(roleOf(spec.name));
        const changed = withEnv(spec, () => {
          const next = armed.get(spec.name) ?? {};
          armed.delete(spec.name);
          return { ...own, ...next };
        });
        kept.set(spec.name, await keepRunning(changed, { log, onStart: tellGuards }));
      }),
    );
    const failed = started.find((outcome) => outcome.status === 'rejected');
    if (failed) throw failed.reason;
    tellGuards();

    /** A service's ways to the stream and to S3, each through a proxy. */
    async function waysOf(role: FleetRole): Promise<Record<string, string>> {
      const single = role === 'nats' || cluster ? undefined : await proxy(`${role}-nats`, servers[0]!.port);
      const ports = single ? [single.port] : servers.flatMap(({ clients }) => clients.map(({ port }) => port));
      const toS3 =
        s3 && (role === 'processor' || role === 'lake') ? await proxy(`${role}-s3`, s3.port, s3.host) : undefined;
      return {
        NATS_URL: ports.map((port) => `nats://127.0.0.1:${port}`).join(','),
        NODE_OPTIONS: `--import=${CLOCK_JUMP}`,
        ...(toS3 ? { S3_ENDPOINT: `http://127.0.0.1:${toS3.port}` } : {}),
      };
    }

    const names = [...servers.map(({ name }) => name), ...specs.map(({ name }) => name)] as ProcessName[];
    const members = (role: FleetRole): ProcessName[] => names.filter((name) => roleOf(name) === role);
    const of = (name: ProcessName): KeptRunning => kept.get(name)!;
    const pid = (name: ProcessName): number | undefined => (isNats(name) ? serverPid(of(name)) : of(name).child?.pid);
    const signal = (name: ProcessName, wanted: NodeJS.Signals): boolean => {
      const target = pid(name);
      return target !== undefined && send(target, wanted);
    };
    const urls = (role: FleetRole): string[] => members(role).map((name) => `http://127.0.0.1:${of(name).facts.port}`);
    const clientIngest: Proxy[] = [];
    for (const name of members('ingest')) clientIngest.push(await proxy('client-ingest', Number(of(name).facts.port)));
    return {
      cluster,
      ingestUrls: clientIngest.map(({ port }) => `http://127.0.0.1:${port}`),
      receiverUrls: urls('ingest'),
      processorUrls: urls('processor'),
      queryUrls: urls('lake'),
      nats: await operatorSettings(dir, natsUrl),
      watcher: await identitySettings(dir, WATCHER, natsUrl),
      env: { ...env, NATS_URL: natsUrl, ...identityEnv(dir, 'operator'), LAKE_URL: lakeUrl },
      links,
      members,
      storeDir: (name) => servers.find((server: StreamServer) => server.name === name)!.storeDir,
      pid,
      signal,
      arm: (name, next) => armed.set(name, next),
      starts: (name) => of(name).starts,
      async restarted(name, starts, withinMs) {
        const deadline = performance.now() + withinMs;
        while (performance.now() < deadline) {
          if (of(name).child && of(name).starts > starts) return true;
          await delay(20);
        }
        return false;
      },
      whileDown: allDown,
      async setClock(name, clockOffsetMs) {
        const target = pid(name);
        if (!isNats(name)) of(name).child?.send({ clockOffsetMs });
        else if (target !== undefined) (await openProcessClock(target)).set(clockOffsetMs);
      },
      retire: (name) => of(name).stop(),
      stop,
    };

    async function allDown(wanted: readonly ProcessName[], task: () => Promise<void>): Promise<void> {
      const isDown = Promise.withResolvers<void>();
      const isDone = Promise.withResolvers<void>();
      let left = wanted.length;
      const held = wanted.map((name) =>
        of(name).whileDown(
          () => signal(name, 'SIGKILL'),
          () => {
            if (--left === 0) isDown.resolve();
            return isDone.promise;
          },
        ),
      );
      await isDown.promise;
      try {
        await task();
      } finally {
        isDone.resolve();
      }
      await Promise.all(held);
    }
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Role of `ingest-2` and the like. */
function roleOf(name: string): FleetRole {
  return name.replace(/-\d+$/, '') as FleetRole;
}

/** Makes the identity that sees the services' steps: an operator may ask for everything, and overhears nobody. */
async function addWatcher(dir: string): Promise<void> {
  const subjects = Object.values(STEP_SUBJECTS);
  await stackIdentities(dir).add({ name: WATCHER, role: 'downstream', tenantId: PROBE_TENANT, subjects }, Date.now());
}

function withEnv(spec: ChildSpec, more: () => Record<string, string>): ChildSpec {
  return {
    ...spec,
    launch(before) {
      const { env, ...rest } = spec.launch(before);
      return { ...rest, env: { ...env, ...more() } };
    },
  };
}

function resume({ pid, facts }: StackProcess): void {
  send(pid, 'SIGCONT');
  if (facts.serverPid !== undefined) send(Number(facts.serverPid), 'SIGCONT');
}

function send(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}

import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { PROCESSOR_SETTINGS } from '../../processor/config.ts';
import { freePort } from '../freePort.ts';
import { findNatsServer } from '../natsServer.ts';
import type { ChildSpec } from './child.ts';
import { identityEnv, stackIdentities, withoutConnection } from './identities.ts';
import { natsConfig, type NatsCluster } from './natsConfig.ts';

export interface StackSettings {
  /** Folder of the stack. */
  dir: string;
  env: Record<string, string | undefined>;
  ports: 'free' | 'usual';
  log: (line: string) => void;
}

/** A service: its folder, and the variables of its address. */
interface Service {
  name: string;
  folder: 'ingest' | 'processor' | 'query';
  portVariable: string;
  usualPort: number;
}

const USUAL_NATS_PORT = 4222;
const SERVICES: readonly Service[] = [
  { name: 'ingest', folder: 'ingest', portVariable: 'INGEST_PORT', usualPort: 4001 },
  { name: 'processor', folder: 'processor', portVariable: 'PROCESSOR_PORT', usualPort: 4003 },
  { name: 'lake', folder: 'query', portVariable: 'LAKE_PORT', usualPort: 4002 },
];

/** Default of nats-server's GOMEMLIMIT, which bounds Go's garbage (docs/performance.md, "Memory"). */
const NATS_MEMORY = '512MiB';
const READY_MS = 60_000;
const STOP_MS = 25_000;
/** Deadline of a drain, shorter than STOP_MS to be reported. */
const SHUTDOWN_SECONDS = '20';

/** Servers of a cluster: the least number that survives the loss of one. */
const CLUSTER_SIZE = 3;

/** One nats-server, or the three of a cluster. */
export async function natsSpecs(settings: StackSettings, { cluster }: { cluster: boolean }): Promise<ChildSpec[]> {
  if (!cluster) return [await natsSpec(settings)];
  const ports = new Set<number>();
  while (ports.size < CLUSTER_SIZE) ports.add(await freePort());
  const all = [...ports];
  const password = randomBytes(16).toString('hex');
  const specs: ChildSpec[] = [];
  for (const [index, port] of all.entries()) {
    const routes = all.filter((other) => other !== port).map((other) => `127.0.0.1:${other}`);
    specs.push(await natsSpec(settings, { index, cluster: { port, password, routes } }));
  }
  return specs;
}

/** nats-server under its guard, with the identities of the stack; later starts keep the port of the first. */
export async function natsSpec(
  { dir, env, ports, log }: StackSettings,
  { index = 0, cluster, clientAdvertise }: { index?: number; cluster?: NatsCluster; clientAdvertise?: string } = {},
): Promise<ChildSpec> {
  const binary = await findNatsServer({ log, env });
  const name = numbered('nats', index);
  const folder = join(dir, name);
  const config = join(folder, 'nats-server.conf');
  const wanted = Number(env.NATS_PORT || (ports === 'usual' ? USUAL_NATS_PORT : -1));
  const first = wanted === -1 ? -1 : wanted + index;
  await mkdir(folder, { recursive: true });
  const identities = stackIdentities(dir);
  await identities.init(shardsOf(env), Date.now());
  const usersFile = relative(folder, identities.usersFile);
  const told = clientAdvertise === undefined ? {} : { clientAdvertise };
  const own = { port: first, storeDir: join(folder, 'jetstream'), portsDir: folder, usersFile, ...told };
  await writeFile(config, natsConfig(cluster ? { ...own, serverName: `spor-${index + 1}`, cluster } : own), {
    mode: 0o600,
  });
  return {
    name,
    program: new URL('./natsGuard.ts', import.meta.url),
    launch: (before) => ({
      args: [binary, config, folder, String(before?.port ?? first), identities.usersFile],
      env: definedOnly({ GOMEMLIMIT: NATS_MEMORY, ...env, SHUTDOWN_SECONDS: String(STOP_MS / 1000) }),
    }),
    logFile: join(dir, 'logs', `${name}.log`),
    readyMs: 20_000,
    stopMs: STOP_MS,
  };
}

/** The services in order of start, with the given number of processors and of each other service. */
export function serviceSpecs(
  { dir, env, ports }: StackSettings,
  stores: { natsUrl: string; lakeUrl: string; processors: number; others?: number },
): ChildSpec[] {
  return SERVICES.flatMap((service) => {
    const count = service.folder === 'processor' ? stores.processors : (stores.others ?? 1);
    return Array.from({ length: count }, (_, index): ChildSpec => {
      const name = numbered(service.name, index);
      const wanted = env[service.portVariable] || (ports === 'usual' ? String(service.usualPort) : '0');
      const own = {
        NATS_URL: stores.natsUrl,
        ...identityEnv(dir, service.folder),
        LAKE_URL: stores.lakeUrl,
        WORK_DIR: join(dir, 'work', name),
        SHUTDOWN_SECONDS: env.SHUTDOWN_SECONDS || SHUTDOWN_SECONDS,
      };
      return {
        name,
        program: new URL(`../../${service.folder}/main.ts`, import.meta.url),
        launch: (before) => ({
          env: definedOnly({
            ...withoutConnection(env),
            ...own,
            [service.portVariable]: String(before?.port ?? (index === 0 ? wanted : '0')),
          }),
        }),
        logFile: join(dir, 'logs', `${name}.log`),
        readyMs: READY_MS,
        stopMs: STOP_MS,
      };
    });
  });
}

/** Number of shards; a service names a wrong one. */
function shardsOf({ SPOR_SHARDS }: Record<string, string | undefined>): number {
  const { fallback, parse } = PROCESSOR_SETTINGS.shards;
  return (SPOR_SHARDS ? parse(SPOR_SHARDS) : undefined) ?? fallback!;
}

/** `ingest`, `ingest-2`, … */
function numbered(name: string, index: number): string {
  return index === 0 ? name : `${name}-${index + 1}`;
}

function definedOnly(env: Record<string, string | undefined>): Record<string, string> {
  return Object.fromEntries(Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined));
}

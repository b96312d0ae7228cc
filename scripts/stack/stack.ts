import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { NatsSettings } from '../../stream/credentials.ts';
import { identityEnv, operatorSettings, stackIdentities } from './identities.ts';
import type { ChildSpec, StackProcess } from './child.ts';
import { killStray } from './processes.ts';
import { natsSpecs, serviceSpecs, type StackSettings } from './services.ts';
import { supervise, type Supervised } from './supervise.ts';

export interface StackOptions extends StackSettings {
  /** Whether to restart processes that end; otherwise `onCrash` is called. */
  restart: boolean;
  onCrash?: (name: string, reason: string) => void;
  /** Number of processors that share the shards; 1 by default. */
  processors?: number;
  /** Whether to start three nats-servers as a cluster, and two of each service. */
  cluster?: boolean;
}

export interface Stack {
  ingestUrl: string;
  queryUrl: string;
  processorUrl: string;
  natsUrl: string;
  /** Connection of the stack's operator. */
  nats: NatsSettings;
  lakeUrl: string;
  /** Folder of the stack, with its logs in `logs`. */
  dir: string;
  /** Variables for clients such as the command line; S3 credentials are among them. */
  env: Record<string, string>;
  /** Loopback ports of all nats-servers and services. */
  addresses: () => { name: string; port: number }[];
  /** Current pids, without processes that are restarting. */
  processes: () => { name: string; pid: number }[];
  /** Stops everything in reverse order of start. */
  stop: () => Promise<void>;
}

/** Variables that clients of the stack need as well as its services. */
const SHARED = [
  'SPOR_SHARDS',
  'NATS_REPLICAS',
  'S3_ENDPOINT',
  'S3_REGION',
  'S3_FORCE_PATH_STYLE',
  'S3_CHECKSUMS',
  'AWS_ACCESS_KEY_ID',
  'AWS_ACCESS_KEY_ID_FILE',
  'AWS_SECRET_ACCESS_KEY',
  'AWS_SECRET_ACCESS_KEY_FILE',
];

/** Copies of each stream and bucket in a cluster of three. */
const CLUSTER_REPLICAS = 3;

/**
 * Starts nats-server, ingest, processor and the query server as local processes.
 *
 * Resolves when all are ready. Nothing outlives this process: services stop with their IPC channel, and so does the
 * guard of nats-server (natsGuard.ts). Only a kill of guard and supervisor at the same moment leaves a nats-server
 * running.
 * @throws Error with the failed process and the end of its log; all processes have ended then
 */
export async function startStack(options: StackOptions): Promise<Stack> {
  const { dir, log, restart, cluster = false } = options;
  const env = cluster ? { ...options.env, NATS_REPLICAS: String(CLUSTER_REPLICAS) } : options.env;
  const settings = { ...options, env };
  const onCrash = options.onCrash ?? ((name: string, reason: string) => log(`${name} ${reason}`));
  const running: Supervised[] = [];
  const isNats = ({ name }: { name: string }): boolean => /^nats(-\d)?$/.test(name);
  const stop = async (): Promise<void> => {
    for (const process of running.splice(0).reverse()) await process.stop();
  };
  await mkdir(join(dir, 'logs'), { recursive: true });
  try {
    const guards = new Map<string, StackProcess>();
    const tellGuards = (): void => {
      const companions = running.filter((process) => !isNats(process)).flatMap(({ pid }) => pid ?? []);
      for (const guard of guards.values()) guard.send({ companions });
    };
    const startAll = async (
      specs: readonly ChildSpec[],
      start: (spec: ChildSpec) => Promise<Supervised>,
    ): Promise<void> => {
      const started = await Promise.allSettled(specs.map(start));
      for (const outcome of started) if (outcome.status === 'fulfilled') running.push(outcome.value);
      const failed = started.find((outcome) => outcome.status === 'rejected');
      if (failed) throw failed.reason;
    };
    await startAll(await natsSpecs(settings, { cluster }), (spec) =>
      supervise(spec, {
        restart,
        log,
        onCrash,
        onStart: (guard) => {
          guards.set(spec.name, guard);
          tellGuards();
        },
        // A killed guard may leave its server running, with the store open.
        onEnd: (facts) => killStray(Number(facts.serverPid)),
      }),
    );

    const natsUrl = running.map(({ facts }) => `nats://127.0.0.1:${facts.port}`).join(',');
    const lakeUrl = absolute(env.LAKE_URL || `file:${join(dir, 'lake')}`);
    const others = cluster ? 2 : 1;
    const specs = serviceSpecs(settings, { natsUrl, lakeUrl, processors: options.processors ?? others, others });
    const start = (spec: ChildSpec): Promise<Supervised> =>
      supervise(spec, { restart, log, onCrash, onStart: tellGuards });
    const isReceiver = ({ name }: ChildSpec): boolean => name.startsWith('ingest');
    // A receiver waits for the streams that a processor makes, so a processor that fails is reported first.
    await startAll(
      specs.filter((spec) => !isReceiver(spec)),
      start,
    );
    await startAll(specs.filter(isReceiver), start);
    tellGuards();

    const url = (wanted: string): string => {
      const { facts } = running.find(({ name }) => name === wanted)!;
      return `http://127.0.0.1:${facts.port}`;
    };
    const shared = SHARED.flatMap((name) => (env[name] ? [[name, env[name]] as const] : []));
    return {
      ingestUrl: url('ingest'),
      queryUrl: url('lake'),
      processorUrl: url('processor'),
      natsUrl,
      nats: await operatorSettings(dir, natsUrl),
      lakeUrl,
      dir,
      env: {
        NATS_URL: natsUrl,
        ...identityEnv(dir, 'operator'),
        ACCESS_DIR: stackIdentities(dir).path,
        LAKE_URL: lakeUrl,
        ...Object.fromEntries(shared),
      },
      addresses: () => running.map(({ name, facts }) => ({ name, port: Number(facts.port) })),
      processes: () => running.flatMap((process) => (isNats(process) ? natsPids(process) : pids(process))),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The address with an absolute path, for clients elsewhere. */
function absolute(lakeUrl: string): string {
  return lakeUrl.startsWith('file:')
    ? `file:${resolve(lakeUrl.slice('file:'.length).replace(/^\/\/(?=\/)/, ''))}`
    : lakeUrl;
}

function pids({ name, pid }: Supervised): { name: string; pid: number }[] {
  return pid === undefined ? [] : [{ name, pid }];
}

/** Pids of a nats-server and its guard, such as `nats-guard` and `nats-server`, or `nats-2-guard` and `nats-2-server`. */
function natsPids({ name, pid, facts }: Supervised): { name: string; pid: number }[] {
  if (pid === undefined) return [];
  return [
    { name: `${name}-guard`, pid },
    { name: `${name}-server`, pid: Number(facts.serverPid) },
  ];
}

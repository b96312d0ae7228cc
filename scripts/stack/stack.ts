import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { killStray } from './processes.ts';
import { natsSpec, serviceSpecs, type StackSettings } from './services.ts';
import { supervise, type Supervised } from './supervise.ts';

export interface StackOptions extends StackSettings {
  /** Start again what ends by itself; otherwise `onCrash` is told. */
  restart: boolean;
  onCrash?: (name: string, reason: string) => void;
  /** How many processors share the shards; 1 by default. */
  processors?: number;
}

export interface Stack {
  ingestUrl: string;
  queryUrl: string;
  processorUrl: string;
  natsUrl: string;
  lakeUrl: string;
  /** The stack's own folder, with its logs in `logs`. */
  dir: string;
  /** What a client such as the command line needs to know; holds secrets where S3 credentials were given. */
  env: Record<string, string>;
  /** Pids at this moment; a process that is being restarted is left out. */
  processes: () => { name: string; pid: number }[];
  /** Stops everything in reverse order of starting. */
  stop: () => Promise<void>;
}

/** Variables that clients of the stack need as much as its services. */
const SHARED = [
  'SPOR_SHARDS',
  'NATS_REPLICAS',
  'S3_ENDPOINT',
  'S3_REGION',
  'S3_FORCE_PATH_STYLE',
  'S3_CHECKSUMS',
  'AWS_ACCESS_KEY_ID',
  'AWS_SECRET_ACCESS_KEY',
];

/**
 * Starts nats-server, ingest, processor and the lake's query server as processes of their own on this machine, and
 * resolves when all of them are ready. Nothing of it outlives this process: services stop when their IPC channel is lost,
 * and nats-server is held by a guard that does (stack/natsGuard.ts). Only killing the guard and this process in the same
 * moment leaves a nats-server behind.
 * @throws Error saying which process failed, with its last words; nothing is left running then.
 */
export async function startStack(options: StackOptions): Promise<Stack> {
  const { dir, env, log, restart } = options;
  const onCrash = options.onCrash ?? ((name: string, reason: string) => log(`${name} ${reason}`));
  const running: Supervised[] = [];
  const services = (): Supervised[] => running.filter(({ name }) => name !== 'nats');
  const stop = async (): Promise<void> => {
    for (const process of running.splice(0).reverse()) await process.stop();
  };
  await mkdir(join(dir, 'logs'), { recursive: true });
  try {
    let tellGuard = (): void => undefined;
    const nats = await supervise(await natsSpec(options), {
      restart,
      log,
      onCrash,
      onStart: (guard) => {
        tellGuard = () => guard.send({ companions: services().flatMap(({ pid }) => pid ?? []) });
        tellGuard();
      },
      // When the guard was killed, the server it held may still run, with the store open.
      onEnd: (facts) => killStray(Number(facts.serverPid)),
    });
    running.push(nats);

    const natsUrl = `nats://127.0.0.1:${nats.facts.port}`;
    const lakeUrl = absolute(env.LAKE_URL || `file:${join(dir, 'lake')}`);
    const specs = serviceSpecs(options, { natsUrl, lakeUrl, processors: options.processors ?? 1 });
    const onStart = (): void => tellGuard();
    const started = await Promise.allSettled(specs.map((spec) => supervise(spec, { restart, log, onCrash, onStart })));
    for (const outcome of started) if (outcome.status === 'fulfilled') running.push(outcome.value);
    const failed = started.find((outcome) => outcome.status === 'rejected');
    if (failed) throw failed.reason;
    tellGuard();

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
      lakeUrl,
      dir,
      env: { NATS_URL: natsUrl, LAKE_URL: lakeUrl, ...Object.fromEntries(shared) },
      processes: () => running.flatMap(pids),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Clients of the stack may run in another folder. */
function absolute(lakeUrl: string): string {
  return lakeUrl.startsWith('file:')
    ? `file:${resolve(lakeUrl.slice('file:'.length).replace(/^\/\/(?=\/)/, ''))}`
    : lakeUrl;
}

function pids({ name, pid, facts }: Supervised): { name: string; pid: number }[] {
  if (pid === undefined) return [];
  if (name !== 'nats') return [{ name, pid }];
  return [
    { name: 'nats-guard', pid },
    { name: 'nats-server', pid: Number(facts.serverPid) },
  ];
}

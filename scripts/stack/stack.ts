import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { NatsSettings } from '../../stream/credentials.ts';
import { identityEnv, operatorSettings, stackIdentities } from './identities.ts';
import type { ChildSpec } from './child.ts';
import { killStray } from './processes.ts';
import { natsSpec, serviceSpecs, type StackSettings } from './services.ts';
import { supervise, type Supervised } from './supervise.ts';

export interface StackOptions extends StackSettings {
  /** Whether to restart processes that end; otherwise `onCrash` is called. */
  restart: boolean;
  onCrash?: (name: string, reason: string) => void;
  /** Number of processors that share the shards; 1 by default. */
  processors?: number;
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

/**
 * Starts nats-server, ingest, processor and the query server as local processes.
 *
 * Resolves when all are ready. Nothing outlives this process: services stop with their IPC channel, and so does the
 * guard of nats-server (natsGuard.ts). Only a kill of guard and supervisor at the same moment leaves a nats-server
 * running.
 * @throws Error with the failed process and the end of its log; all processes have ended then
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
      // A killed guard may leave its server running, with the store open.
      onEnd: (facts) => killStray(Number(facts.serverPid)),
    });
    running.push(nats);

    const natsUrl = `nats://127.0.0.1:${nats.facts.port}`;
    const lakeUrl = absolute(env.LAKE_URL || `file:${join(dir, 'lake')}`);
    const specs = serviceSpecs(options, { natsUrl, lakeUrl, processors: options.processors ?? 1 });
    const onStart = (): void => tellGuard();
    const startAll = async (group: ChildSpec[]): Promise<void> => {
      const started = await Promise.allSettled(
        group.map((spec) => supervise(spec, { restart, log, onCrash, onStart })),
      );
      for (const outcome of started) if (outcome.status === 'fulfilled') running.push(outcome.value);
      const failed = started.find((outcome) => outcome.status === 'rejected');
      if (failed) throw failed.reason;
    };
    // A receiver waits for the streams that a processor makes, so a processor that fails is reported first.
    await startAll(specs.filter(({ name }) => name !== 'ingest'));
    await startAll(specs.filter(({ name }) => name === 'ingest'));
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
      processes: () => running.flatMap(pids),
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

function pids({ name, pid, facts }: Supervised): { name: string; pid: number }[] {
  if (pid === undefined) return [];
  if (name !== 'nats') return [{ name, pid }];
  return [
    { name: 'nats-guard', pid },
    { name: 'nats-server', pid: Number(facts.serverPid) },
  ];
}

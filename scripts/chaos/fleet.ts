import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { delay } from '../../runtime/retry.ts';
import type { StackProcess, ChildSpec } from '../stack/child.ts';
import type { NatsSettings } from '../../stream/credentials.ts';
import { identityEnv, identitySettings, operatorSettings, stackIdentities } from '../stack/identities.ts';
import { killStray } from '../stack/processes.ts';
import { natsSpec, serviceSpecs } from '../stack/services.ts';
import { keepRunning, type KeptRunning } from './keepRunning.ts';
import { openProcessClock } from './processClock.ts';
import { startProxy, type Proxy } from './proxy.ts';
import { STEP_SUBJECTS } from './stepEvents.ts';
import { PROBE_TENANT, SHARDS } from './tenants.ts';

export const PROCESSORS = ['processor', 'processor-2'] as const;
export type ProcessorName = (typeof PROCESSORS)[number];
export type ProcessName = 'nats' | 'ingest' | 'lake' | ProcessorName;

export interface FleetOptions {
  /** Folder for logs, stores and scratch files. */
  dir: string;
  lakeUrl: string;
  env: Record<string, string | undefined>;
  /** The S3 service, if it holds the lake. */
  s3?: { host: string; port: number };
  log: (line: string) => void;
}

/** Spor's local processes, each behind proxies, and restarted whenever they end. */
export interface Fleet {
  /** Base URL of the Event Receiver, through the clients' proxy. */
  ingestUrl: string;
  /** The same without a proxy. */
  receiverUrl: string;
  queryUrl: string;
  /** URL without a proxy. */
  natsUrl: string;
  /** Connection of the operator. */
  nats: NatsSettings;
  /** The same as an identity that may only see the steps. */
  watcher: NatsSettings;
  env: Record<string, string>;
  proxies: {
    'client-ingest': Proxy;
    'ingest-nats': Proxy;
    'processor-nats': Record<ProcessorName, Proxy>;
    'processor-s3'?: Record<ProcessorName, Proxy>;
    'lake-nats': Proxy;
    'lake-s3'?: Proxy;
  };
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
  /** Shifts the clock of a process until its end; of a service, that of its own code. */
  setClock: (name: ProcessName, offsetMs: number) => Promise<void>;
  /** Ends a process gracefully, for good. */
  retire: (name: ProcessName) => Promise<void>;
  stop: () => Promise<void>;
}

/** Time after which a silent processor loses its shards. */
export const LEASE_SECONDS = 2;
const WATCHER = 'chaos';
const CLOCK_JUMP = new URL('./clockJump.ts', import.meta.url).href;

export async function startFleet(options: FleetOptions): Promise<Fleet> {
  const { dir, lakeUrl, s3, log } = options;
  const env = settings(options.env);
  const kept = new Map<string, KeptRunning>();
  const armed = new Map<string, Record<string, string>>();
  const proxies: Proxy[] = [];
  const proxy = async (port: number, host = '127.0.0.1'): Promise<Proxy> => {
    const started = await startProxy({ host, port });
    proxies.push(started);
    return started;
  };
  const stop = async (): Promise<void> => {
    for (const { child } of kept.values()) if (child) resume(child);
    for (const process of [...kept.values()].reverse()) await process.stop();
    for (const one of proxies) await one.close();
  };
  await mkdir(join(dir, 'logs'), { recursive: true });
  const tellGuard = (): void => {
    const companions = [...kept].flatMap(([name, { child }]) => (name === 'nats' || !child ? [] : [child.pid]));
    kept.get('nats')?.child?.send({ companions });
  };
  try {
    const natsFolder = await natsSpec({ dir, env, ports: 'free', log });
    await addWatcher(dir);
    const nats = await keepRunning(natsFolder, {
      log,
      onStart: tellGuard,
      onEnd: (facts) => killStray(Number(facts.serverPid)),
    });
    kept.set('nats', nats);
    const natsPort = Number(nats.facts.port);
    const natsUrl = `nats://127.0.0.1:${natsPort}`;
    const byProcessor = async (port: number, host?: string): Promise<Record<ProcessorName, Proxy>> => ({
      processor: await proxy(port, host),
      'processor-2': await proxy(port, host),
    });
    const ingestNats = await proxy(natsPort);
    const processorNats = await byProcessor(natsPort);
    const lakeNats = await proxy(natsPort);
    const lakeS3 = s3 ? await proxy(s3.port, s3.host) : undefined;
    const processorS3 = s3 ? await byProcessor(s3.port, s3.host) : undefined;
    const ways: Record<string, Record<string, string>> = {
      ingest: { NATS_URL: `nats://127.0.0.1:${ingestNats.port}`, NODE_OPTIONS: `--import=${CLOCK_JUMP}` },
    };
    ways.lake = {
      NATS_URL: `nats://127.0.0.1:${lakeNats.port}`,
      NODE_OPTIONS: `--import=${CLOCK_JUMP}`,
      ...(lakeS3 ? { S3_ENDPOINT: `http://127.0.0.1:${lakeS3.port}` } : {}),
    };
    for (const name of PROCESSORS) {
      ways[name] = {
        NATS_URL: `nats://127.0.0.1:${processorNats[name].port}`,
        NODE_OPTIONS: `--import=${CLOCK_JUMP}`,
        ...(processorS3 ? { S3_ENDPOINT: `http://127.0.0.1:${processorS3[name].port}` } : {}),
      };
    }

    const specs = serviceSpecs({ dir, env, ports: 'free', log }, { natsUrl, lakeUrl, processors: PROCESSORS.length });
    const started = await Promise.allSettled(
      specs.map(async (spec) => {
        const changed = withEnv(spec, () => {
          const next = armed.get(spec.name) ?? {};
          armed.delete(spec.name);
          return { ...ways[spec.name], ...next };
        });
        kept.set(spec.name, await keepRunning(changed, { log, onStart: tellGuard }));
      }),
    );
    const failed = started.find((outcome) => outcome.status === 'rejected');
    if (failed) throw failed.reason;
    tellGuard();

    const of = (name: ProcessName): KeptRunning => kept.get(name)!;
    const pid = (name: ProcessName): number | undefined => {
      const { child, facts } = of(name);
      return child && name === 'nats' ? Number(facts.serverPid) : child?.pid;
    };
    const clientIngest = await proxy(Number(of('ingest').facts.port));
    return {
      ingestUrl: `http://127.0.0.1:${clientIngest.port}`,
      receiverUrl: `http://127.0.0.1:${of('ingest').facts.port}`,
      queryUrl: `http://127.0.0.1:${of('lake').facts.port}`,
      natsUrl,
      nats: await operatorSettings(dir, natsUrl),
      watcher: await identitySettings(dir, WATCHER, natsUrl),
      env: { ...env, NATS_URL: natsUrl, ...identityEnv(dir, 'operator'), LAKE_URL: lakeUrl },
      proxies: {
        'client-ingest': clientIngest,
        'ingest-nats': ingestNats,
        'processor-nats': processorNats,
        'lake-nats': lakeNats,
        ...(processorS3 ? { 'processor-s3': processorS3 } : {}),
        ...(lakeS3 ? { 'lake-s3': lakeS3 } : {}),
      },
      pid,
      signal(name, signal) {
        const target = pid(name);
        return target !== undefined && send(target, signal);
      },
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
      async setClock(name, clockOffsetMs) {
        const target = pid(name);
        if (name !== 'nats') of(name).child?.send({ clockOffsetMs });
        else if (target !== undefined) (await openProcessClock(target)).set(clockOffsetMs);
      },
      retire: (name) => of(name).stop(),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Makes the identity that sees the services' steps: an operator may ask for everything, and overhears nobody. */
async function addWatcher(dir: string): Promise<void> {
  const subjects = Object.values(STEP_SUBJECTS);
  await stackIdentities(dir).add({ name: WATCHER, role: 'downstream', tenantId: PROBE_TENANT, subjects }, Date.now());
}

/**
 * Settings of a service, without the caller's own, and with short waits.
 *
 * A cycle so takes seconds.
 */
function settings(env: Record<string, string | undefined>): Record<string, string> {
  const given = Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return {
    ...Object.fromEntries(given.filter(([name]) => !/^(SPOR_FAILPOINT|WORK_DIR|\w+_(HOST|PORT)|NATS_URL)$/.test(name))),
    SPOR_SHARDS: String(SHARDS),
    NATS_REPLICAS: '1',
    STREAM_MAX_BYTES: String(64 * 1_048_576),
    LEASE_SECONDS: String(LEASE_SECONDS),
    WINDOW_MAX_MS: '250',
    DUCKDB_MEMORY: '256MiB',
    INGEST_ACK_DEADLINE_MS: '2000',
    SHUTDOWN_SECONDS: '8',
  };
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

import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { nkeys } from '@nats-io/transport-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { readIngestConfig } from '../../ingest/config.ts';
import { LAKE_SETTINGS } from '../../lake/config.ts';
import { readQueryServerConfig } from '../../query/config.ts';
import { PROCESSOR_SETTINGS } from '../../processor/config.ts';
import { readConfig } from '../../runtime/config.ts';
import { ACCESS_SETTINGS, parseEnvFile, STREAM_SETTINGS } from '../../cli/settings.ts';
import { findNatsServer } from '../../scripts/natsServer.ts';
import { findPrometheus, type PrometheusPrograms } from '../../scripts/monitoring/programs.ts';
import { startPrometheus, type RunningPrometheus } from '../../scripts/monitoring/prometheus.ts';
import { startStack, type Stack } from '../../scripts/stack/stack.ts';
import { runSpor } from '../support/runScript.ts';
import { until } from '../support/until.ts';

interface Service {
  build?: string;
  image?: string;
  entrypoint?: string[];
  command?: string[];
  networks?: string[];
  environment?: Record<string, string>;
  ports?: string[];
  volumes?: string[];
  depends_on?: Record<string, { condition: string }>;
  healthcheck?: { test: string[] };
  logging?: { options?: Record<string, string> };
  mem_limit?: string;
  cap_drop?: string[];
  security_opt?: string[];
  read_only?: boolean;
  scale?: number;
}

interface Compose {
  services: Record<string, Service>;
  volumes: Record<string, unknown>;
  networks: Record<string, { internal?: boolean } | null>;
}

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8');

const ENV_EXAMPLE = parseEnvFile(read('.env.example'));
const CLUSTER = 'deploy/cluster/docker-compose.yml';
const CLUSTER_ENV = parseEnvFile(read('deploy/cluster/env.example'));
/** Read by runtime/process.ts for every service. */
const OF_EVERY_PROCESS = ['LOG_LEVEL', 'SHUTDOWN_SECONDS'];

/** Fills in `${NAME}`, `${NAME:-default}` and `${NAME:?message}` as compose does. */
function substituted(text: string, env: Record<string, string>): string {
  return text.replace(/\$\{(\w+)(?::([-?])([^}]*))?\}/g, (_, name: string, kind?: string, rest?: string) => {
    const value = env[name];
    if (value) return value;
    if (kind === '-') return rest ?? '';
    throw new Error(`${name} is not set in the example`);
  });
}

/** As compose does: the YAML is read first, then its texts are filled in. */
function readCompose(file: string, env: Record<string, string>): Compose {
  const fill = (_: unknown, value: unknown): unknown => (typeof value === 'string' ? substituted(value, env) : value);
  return parse(read(file), fill, { merge: true }) as Compose;
}

const compose = readCompose('docker-compose.yml', ENV_EXAMPLE);
const cluster = readCompose(CLUSTER, CLUSTER_ENV);
const services = Object.entries(compose.services);

type Env = Record<string, string | undefined>;

/** What runs in a container of our image, and how it reads its settings. */
const READERS: Record<string, (env: Env) => unknown> = {
  'ingest/main.ts': readIngestConfig,
  'processor/main.ts': (env) => readConfig(PROCESSOR_SETTINGS, env),
  'query/main.ts': readQueryServerConfig,
  'cli/spor.ts': (env) => readConfig({ ...STREAM_SETTINGS, ...ACCESS_SETTINGS }, env),
  'scripts/createBucket.ts': (env) => readConfig(LAKE_SETTINGS, env),
};

/** The variables a reader looks at. */
function namesRead(read: (env: Env) => unknown): string[] {
  const names = new Set<string>();
  read(new Proxy({}, { get: (_, name) => void names.add(String(name)) }));
  return [...names];
}

const ours = services.filter(([, { image }]) => image === 'spor');

describe('docker-compose.yml', () => {
  it('runs programs that exist, with settings they know and can read', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'spor-test-seed-'));
    const seedFile = join(dir, 'nkey');
    await writeFile(seedFile, nkeys.createUser().getSeed());
    expect(ours.map(([name]) => name)).toEqual(['access', 'bucket', 'ingest', 'processor', 'lake', 'spor']);
    for (const [name, { entrypoint = [], command = [], environment = {} }] of ours) {
      const [node, program = ''] = [...entrypoint, ...command];
      expect([name, node, existsSync(join(ROOT, program))]).toEqual([name, 'node', true]);
      const reader = READERS[program]!;
      const inContainer = 'NATS_NKEY_FILE' in environment ? { NATS_NKEY_FILE: seedFile } : {};
      expect(reader({ ...environment, ...inContainer })).toBeDefined();
      // Settings of the stream and of the lake come from blocks that several services take; each reads its part of them.
      const known = [...Object.values(READERS).flatMap(namesRead), ...OF_EVERY_PROCESS];
      for (const [variable, value] of Object.entries(environment)) {
        expect(known, `${name}: ${variable}`).toContain(variable);
        expect(typeof value, `${name}: ${variable}`).toBe('string');
      }
    }
    await rm(dir, { recursive: true });
  });

  it('gives all services the same value for a setting they share, but for where they listen', () => {
    for (const variable of new Set(ours.flatMap(([, { environment = {} }]) => Object.keys(environment)))) {
      const values = ours.flatMap(([, { environment }]) => environment?.[variable] ?? []);
      expect(new Set(values).size, variable).toBe(1);
    }
  });

  it.each([
    ['docker-compose.yml', compose],
    [CLUSTER, cluster],
  ])('%s limits logs, memory and rights of every service', (file, { services: all }) => {
    for (const [name, service] of Object.entries(all)) {
      expect(Object.keys(service.logging?.options ?? {}), name).toEqual(['max-size', 'max-file']);
      expect(service.mem_limit, name).toMatch(/^\d+[mg]$/);
      expect(service.cap_drop, name).toEqual(['ALL']);
      expect(service.security_opt, name).toEqual(['no-new-privileges:true']);
      // Ceph writes sockets and locks in many places.
      expect([file, name, service.read_only]).toEqual([file, name, name === 's3' ? undefined : true]);
    }
  });

  it('refers only to services, volumes, files and builds that exist', () => {
    const dependencies = services.flatMap(([, { depends_on = {} }]) => Object.entries(depends_on));
    for (const [other] of dependencies) expect(Object.keys(compose.services)).toContain(other);
    const awaited = dependencies.filter(([, { condition }]) => condition === 'service_healthy').map(([other]) => other);
    for (const other of awaited) expect(compose.services[other]!.healthcheck, other).toBeDefined();

    const values = services.flatMap(([, { environment = {} }]) => Object.values(environment));
    const hosts = values.flatMap((value) => /^(?:nats|http):\/\/([^:/]+)/.exec(value)?.[1] ?? []);
    expect(new Set(hosts)).toEqual(new Set(['nats', 's3']));
    for (const host of hosts) expect(Object.keys(compose.services)).toContain(host);

    const sources = services.flatMap(([, { volumes = [] }]) =>
      volumes.filter((text) => text.includes(':')).map((text) => text.split(':')[0]!),
    );
    const [files, named] = [
      sources.filter((source) => source.startsWith('.')),
      sources.filter((source) => !source.startsWith('.')),
    ];
    expect(files.filter((file) => !existsSync(join(ROOT, file)))).toEqual([]);
    expect(new Set(named)).toEqual(new Set(Object.keys(compose.volumes)));

    const builds = services.flatMap(([, { build }]) => build ?? []);
    expect(builds.filter((folder) => !existsSync(join(ROOT, folder, 'Dockerfile')))).toEqual([]);
  });

  it('gives each service its own identity, and a receiver no network but that of nats', () => {
    const mounted = (name: string): string[] =>
      (compose.services[name]!.volumes ?? []).filter((text) => text.startsWith('access')).map((text) => text);
    expect(mounted('ingest')).toEqual(['access-ingest:/run/spor/identity:ro']);
    expect(mounted('processor')).toEqual(['access-processor:/run/spor/identity:ro']);
    expect(mounted('lake')).toEqual(['access-query:/run/spor/identity:ro']);
    expect(mounted('nats')).toEqual(['access:/etc/nats/access:ro']);
    const reachable = services.filter(([name, { networks = [] }]) => {
      return name !== 'ingest' && networks.some((network) => compose.services.ingest!.networks!.includes(network));
    });
    expect(reachable.map(([name]) => name)).toEqual(['nats']);
    for (const network of compose.services.nats!.networks!) expect(compose.networks[network]?.internal).toBe(true);
    const used = new Set(services.flatMap(([, { networks = [] }]) => networks));
    expect(used).toEqual(new Set(Object.keys(compose.networks)));
  });

  it('publishes and checks the ports the services listen on', () => {
    const portOf: Record<string, string> = { ingest: 'INGEST_PORT', processor: 'PROCESSOR_PORT', lake: 'LAKE_PORT' };
    for (const [name, variable] of Object.entries(portOf)) {
      const { environment = {}, ports = [], healthcheck } = compose.services[name]!;
      expect(healthUrl(healthcheck!).port).toBe(environment[variable]);
      for (const port of ports) {
        expect(port).toBe(`127.0.0.1:${environment[variable]}:${environment[variable]}`);
        expect(environment[variable.replace('PORT', 'HOST')]).toBe('0.0.0.0'); // else the published port leads nowhere
      }
    }
    expect(compose.services.processor!.ports).toBeUndefined(); // may be scaled
    expect(healthUrl(compose.services.nats!.healthcheck!).port).toBe(
      /http: "127\.0\.0\.1:(\d+)"/.exec(read('deploy/nats-server.conf'))![1],
    );
    const s3 = /endpoint=0\.0\.0\.0:(\d+)/.exec(read('deploy/s3/ceph.conf'))![1]!;
    expect(healthUrl(compose.services.s3!.healthcheck!).port).toBe(s3);
    expect(compose.services.ingest!.environment!.NATS_URL).toBe(
      `nats://nats:${/listen: "0\.0\.0\.0:(\d+)"/.exec(read('deploy/nats-server.conf'))![1]}`,
    );
    expect(compose.services.lake!.environment!.S3_ENDPOINT).toBe(`http://s3:${s3}`);
  });
});

const prometheus = await findPrometheus();

describe('its health checks', () => {
  let dir: string;
  let stack: Stack;
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'spor-test-compose-'));
    stack = await startStack({ dir, env: process.env, ports: 'free', restart: false, log: () => undefined });
  });
  afterAll(async () => {
    await stack?.stop();
    if (dir) await rm(dir, { recursive: true, force: true, maxRetries: 5 });
  });

  it('ask for what the real services answer', async () => {
    const urls = { ingest: stack.ingestUrl, processor: stack.processorUrl, lake: stack.queryUrl };
    for (const [name, url] of Object.entries(urls)) {
      const { test } = compose.services[name]!.healthcheck!;
      const check = test.map((part) => part.replaceAll(healthUrl({ test }).origin, url));
      expect(check.slice(0, 3)).toEqual(['CMD', 'node', '-e']);
      await promisify(execFile)(process.execPath, check.slice(2)); // throws unless it exits 0
      const broken = check.map((part) => part.replaceAll('/readyz', '/nothing-here'));
      await expect(promisify(execFile)(process.execPath, broken.slice(2))).rejects.toThrow();
    }
  });

  const why = 'unavailable' in prometheus ? ` (skipped: ${prometheus.unavailable})` : '';
  it.skipIf('unavailable' in prometheus)(`and Prometheus raises no alert but for what is wrong${why}`, async () => {
    const targets = Object.fromEntries(
      Object.entries({ ingest: stack.ingestUrl, processor: stack.processorUrl, lake: stack.queryUrl }).map(
        ([name, url]) => [name, [new URL(url).host]],
      ),
    );
    const start = (more: string[]): Promise<RunningPrometheus> =>
      startPrometheus((prometheus as PrometheusPrograms).prometheus, { ...targets, lake: [...targets.lake!, ...more] });
    const healthy = await start([]);
    const ill = await start(['127.0.0.1:9']);
    try {
      const scraped = async ({ query }: RunningPrometheus): Promise<boolean> =>
        (await query('count(spor_ready) + count(rate(process_cpu_seconds_total[1m]))'))[0]?.value === 6;
      await until(async () => (await scraped(healthy)) && (await scraped(ill)));
      await until(async () => (await ill.raised()).size > 0);
      expect(await ill.heard()).toEqual(['SporMetricsDown']);
      await until(async () => (await healthy.raised()).size === 0); // absent() held until the first scrape
      // Counters that alerts read are there before anything happens.
      for (const counted of ['spor_stream_denials_total', 'spor_ingest_requests_total{code="stream_unavailable"}'])
        expect((await healthy.query(`count(increase(${counted}[1m]))`))[0]?.value).toBeGreaterThan(0);
      const pending = await healthy.query('max(spor_processor_pending_seconds) + max(spor_processor_stream_max_bytes)');
      expect(pending[0]?.value).toBeGreaterThan(0);
      // Receivers and processors are unready too, and steps fail. Of all that one alert is heard.
      const nats = stack.processes().find(({ name }) => name === 'nats-server')!;
      process.kill(nats.pid, 'SIGSTOP');
      try {
        await until(async () => (await healthy.raised()).size > 1);
        await until(async () => (await healthy.heard()).join() === 'SporShardsUnavailable');
      } finally {
        process.kill(nats.pid, 'SIGCONT');
      }
      await until(async () => (await healthy.raised()).size === 0);
    } finally {
      await healthy.stop();
      await ill.stop();
    }
  });
});

describe('deploy/nats-server.conf', () => {
  it('is accepted by nats-server and syncs before it acknowledges', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'spor-test-conf-'));
    // As the service "access" makes it: the first words of its command are those of this command line.
    const [, program, ...args] = compose.services.access!.command!;
    const made = args.map((arg) => (arg === '/var/spor/access' ? join(dir, 'access') : arg));
    expect(program).toBe('cli/spor.ts');
    expect((await runSpor(made, { env: compose.services.access!.environment! })).code).toBe(0);
    const file = join(dir, 'nats-server.conf');
    await writeFile(file, read('deploy/nats-server.conf'));
    const { stderr, stdout } = await promisify(execFile)(await findNatsServer(), ['-t', '-c', file]);
    expect(stderr + stdout).toContain('configuration file');
    await rm(dir, { recursive: true });
    expect(read('deploy/nats-server.conf')).toMatch(/^\s*sync_interval: always$/m);
    const gigabytes = Number(/max_file_store: (\d+)GB/.exec(read('deploy/nats-server.conf'))![1]);
    const { SPOR_SHARDS, STREAM_MAX_BYTES } = compose.services.ingest!.environment!;
    expect(gigabytes * 1e9).toBeGreaterThan(Number(SPOR_SHARDS) * Number(STREAM_MAX_BYTES));
  });
});

describe('the examples of variables', () => {
  it.each([
    ['docker-compose.yml', '.env.example', ENV_EXAMPLE],
    [CLUSTER, 'deploy/cluster/env.example', CLUSTER_ENV],
  ])('%s asks for those of %s, and they can be read', (file, example, env) => {
    const asked = new Set([...read(file).matchAll(/\$\{(\w+)/g)].map((match) => match[1]!));
    const named = new Set([...read(example).matchAll(/^(?:# )?([A-Z0-9_]+)=/gm)].map((match) => match[1]!));
    expect(named).toEqual(asked);
    for (const reader of Object.values(READERS)) expect(reader(env)).toBeDefined();
  });
});

describe('deploy/cluster/docker-compose.yml', () => {
  it('has three stream servers, two of each service, and settings they can read', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'spor-test-seed-'));
    const seedFile = join(dir, 'nkey');
    await writeFile(seedFile, nkeys.createUser().getSeed());
    const twice = Object.entries(cluster.services).filter(([, { scale }]) => scale === 2);
    expect(twice.map(([name]) => name)).toEqual(['ingest', 'processor', 'lake']);
    const known = [...Object.values(READERS).flatMap(namesRead), ...OF_EVERY_PROCESS];
    for (const [name, { image, entrypoint = [], command = [], environment = {} }] of Object.entries(cluster.services)) {
      const program = [...entrypoint, ...command][1]!;
      const inContainer = 'NATS_NKEY_FILE' in environment ? { NATS_NKEY_FILE: seedFile } : {};
      const reader = image === 'spor' ? READERS[program]! : (): object => ({});
      expect(reader({ ...environment, ...inContainer }), name).toBeDefined();
      const unknown = Object.keys(environment).filter((variable) => image === 'spor' && !known.includes(variable));
      expect(unknown, name).toEqual([]);
    }
    await rm(dir, { recursive: true });
  });

  it('sets for its stream servers exactly the variables that their configuration reads', () => {
    const namesIn = (file: string): string[] =>
      [...read(file).matchAll(/^[^#\n]*?\$(NATS_\w+)/gm)].map(([, name]) => name!);
    const routes = ['NATS_ROUTE_1', 'NATS_ROUTE_2', 'NATS_ROUTE_3'];
    const asked = ['nats-server.conf', 'nats-server-tls.conf'].flatMap((name) => namesIn(`deploy/cluster/${name}`));
    for (const name of ['nats-1', 'nats-2', 'nats-3']) {
      const set = Object.keys(cluster.services[name]!.environment!).filter((variable) => variable.startsWith('NATS_'));
      expect(new Set(set)).toEqual(new Set([...asked, ...routes]));
      expect(cluster.services[name]!.environment!.NATS_SERVER_NAME).toBe(name);
    }
    const urls = cluster.services.ingest!.environment!.NATS_URL!.split(',');
    expect(urls).toEqual(['nats://nats-1:4222', 'nats://nats-2:4222', 'nats://nats-3:4222']);
  });

  it('lets receivers reach the stream servers and the proxy, and nothing else', () => {
    const { services: all, networks } = cluster;
    const shared = (one: string): string[] =>
      Object.entries(all).flatMap(([name, other]) =>
        name !== one && other.networks?.some((network) => all[one]!.networks!.includes(network)) ? [name] : [],
      );
    expect(shared('ingest')).toEqual(['nats-1', 'nats-2', 'nats-3', 'proxy']);
    expect(all.ingest!.networks!.filter((network) => !networks[network]?.internal)).toEqual([]);
    expect(Object.keys(all).filter((name) => all[name]!.ports)).toEqual(['proxy']);
    const used = new Set(Object.values(all).flatMap(({ networks: own = [] }) => own));
    expect(used).toEqual(new Set(Object.keys(networks)));
    expect(read('deploy/cluster/haproxy.cfg')).toContain(`ingest:${all.ingest!.environment!.INGEST_PORT}`);
    expect(read('deploy/cluster/haproxy.cfg')).toContain(`lake:${all.lake!.environment!.LAKE_PORT}`);
  });

  it('has the proxy of deploy/proxy, with other addresses and TLS', () => {
    const own =
      /^(?:#.*|resolvers.*| {2}(?:#|bind [:1]|server |server-template|http-request deny|nameserver|hold ).*|)$/;
    const rules = (file: string): string[] =>
      read(file)
        .split('\n')
        .filter((line) => !own.test(line));
    expect(rules('deploy/cluster/haproxy.cfg')).toEqual(rules('deploy/proxy/haproxy.cfg'));
    expect(rules('deploy/proxy/haproxy.cfg').length).toBeGreaterThan(20);
  });
});

describe('the images', () => {
  it('copy what exists, past .dockerignore', () => {
    const kept = read('.dockerignore')
      .split('\n')
      .filter((line) => line.startsWith('!'))
      .map((line) => line.slice(1));
    for (const source of copied('Dockerfile')) {
      expect(existsSync(join(ROOT, source)), source).toBe(true);
      const isKept = kept.some((path) => source === path || source.startsWith(`${path}/`));
      expect(isKept, `.dockerignore keeps ${source}`).toBe(true);
    }
    for (const source of copied('deploy/s3/Dockerfile'))
      expect(existsSync(join(ROOT, 'deploy/s3', source)), source).toBe(true);
  });

  it('hold every file that the programs import', () => {
    const kept = copied('Dockerfile');
    const reached = new Set<string>();
    const follow = (file: string): void => {
      if (reached.has(file)) return;
      reached.add(file);
      for (const [, path = ''] of read(file).matchAll(/(?:from|import\() ?'((?:\.\.?\/)+[^']+)'/g))
        follow(join(file, '..', path));
    };
    for (const program of [...Object.keys(READERS), 'cli/spor.ts']) follow(program);
    expect(reached.size).toBeGreaterThan(80);
    const missing = [...reached].filter((file) => !kept.some((path) => file === path || file.startsWith(`${path}/`)));
    expect(missing).toEqual([]);
  });

  it('have the versions that are tested', () => {
    const { dependencies } = JSON.parse(read('package.json')) as { dependencies: Record<string, string> };
    expect(read('Dockerfile')).toContain(`ARG NODE_IMAGE=node:${dependencies.node}-bookworm-slim`);
    const nats = /RELEASE_VERSION = '(.+)'/.exec(read('scripts/natsServer.ts'))![1]!;
    for (const file of ['docker-compose.yml', 'deploy/cluster/docker-compose.yml', 'deploy/helm/spor/values.yaml'])
      expect(read(file), file).toContain(`image: nats:${nats}-alpine`);
  });

  it('run as somebody else than root', () => {
    for (const file of ['Dockerfile', 'deploy/s3/Dockerfile']) {
      const user = [...read(file).matchAll(/^USER (\w+)/gm)].at(-1)?.[1];
      expect([file, user !== undefined && user !== 'root' && user !== '0']).toEqual([file, true]);
    }
  });

  it('start scripts that are shell scripts', async () => {
    for (const script of ['deploy/s3/start.sh', 'scripts/docker/root.sh']) {
      const checked = await promisify(execFile)('bash', ['-n', join(ROOT, script)]);
      expect(checked.stderr).toBe('');
    }
  });
});

function healthUrl({ test }: { test: string[] }): URL {
  return new URL(/https?:\/\/[^'" ]+/.exec(test.join(' '))![0]);
}

/** Sources of COPY from the build's context. */
function copied(dockerfile: string): string[] {
  const lines = read(dockerfile)
    .split('\n')
    .filter((line) => line.startsWith('COPY ') && !line.includes('--from='));
  return lines.flatMap((line) => line.split(/\s+/).slice(1, -1));
}

/*
 * Builds the images, starts the deployment with Docker and uses it as the documents say.
 *
 *   npm run docker:test                          one machine: docker-compose.yml
 *   npm run docker:test -- --cluster             a cluster: deploy/cluster/docker-compose.yml, with TLS everywhere
 *   npm run docker:test -- --network host        more arguments of docker build
 *
 * It sends all the time, while it scales, restarts and stops parts. At the end each acknowledged event is counted once. The
 * project has a name of its own, and its containers and volumes are removed. Ports 4001 and 4002, or 443 and 8443, must be
 * free. Exit code 69: there is no engine.
 */
import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { Agent } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { delay } from '../../runtime/retry.ts';
import { findEngine, openProject, type ComposeProject } from './engine.ts';
import { buildImage, openDoors, readImage } from './image.ts';
import { countEvents, startTraffic, type Endpoint } from './traffic.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const UNAVAILABLE = 69;
const PATIENCE_MS = 180_000;
const OURS = ['ingest', 'processor', 'lake'];

const say = (line: string): void => void process.stdout.write(`${line}\n`);

async function main(args: readonly string[]): Promise<void> {
  const engine = await findEngine();
  if ('unavailable' in engine) {
    say(`docker:test: there is no Docker engine here, so nothing was tested (${engine.unavailable})`);
    process.exitCode = UNAVAILABLE;
    return;
  }
  say(`docker:test: Docker ${engine.version}`);
  const isCluster = args.includes('--cluster');
  const buildArgs = args.filter((arg) => arg !== '--cluster');
  const dir = await mkdtemp(join(tmpdir(), 'spor-docker-'));
  const folder = isCluster ? join(ROOT, 'deploy/cluster') : ROOT;
  const project = await openProject({ name: `spor-test-${process.pid}`, folder, env: join(dir, 'env'), dir });
  try {
    const endpoint = isCluster ? await prepareCluster(dir) : await prepareOne(dir);
    await build(project, buildArgs);
    await use(project, endpoint, isCluster);
    say('docker:test: all of it works');
  } catch (error) {
    say(await project.compose('logs', '--tail', '30').catch(String));
    throw error;
  } finally {
    await project
      .compose('down', '--volumes', '--timeout', '20', '--remove-orphans')
      .catch((error: unknown) => say(String(error)));
    await rm(dir, { recursive: true, force: true });
  }
}

/** Variables for one machine. */
async function prepareOne(dir: string): Promise<Endpoint> {
  const example = await readFile(join(ROOT, '.env.example'), 'utf8');
  await writeFile(join(dir, 'env'), `${example}\nCEPH_DISK_GIB=8\n`);
  return { events: 'http://127.0.0.1:4001', query: 'http://127.0.0.1:4002' };
}

/** Variables and certificates for a cluster with TLS at its front and between its parts. */
async function prepareCluster(dir: string): Promise<Endpoint> {
  const tls = join(dir, 'tls');
  await mkdir(tls);
  const openssl = (...args: string[]): Promise<unknown> => promisify(execFile)('openssl', args, { cwd: tls });
  await openssl(
    'req',
    '-x509',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-days',
    '2',
    '-subj',
    '/CN=spor-test',
    '-keyout',
    'ca.key',
    '-out',
    'ca.pem',
  );
  for (const [name, hosts] of [
    ['nats', 'DNS:nats-1,DNS:nats-2,DNS:nats-3'],
    ['proxy', 'IP:127.0.0.1'],
  ] as const) {
    await writeFile(join(tls, 'names'), `subjectAltName=${hosts}\n`);
    await openssl(
      'req',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-subj',
      `/CN=${name}`,
      '-keyout',
      `${name}.key`,
      '-out',
      `${name}.csr`,
    );
    await openssl(
      'x509',
      '-req',
      '-days',
      '2',
      '-in',
      `${name}.csr`,
      '-CA',
      'ca.pem',
      '-CAkey',
      'ca.key',
      '-CAcreateserial',
      '-extfile',
      'names',
      '-out',
      `${name}.pem`,
    );
  }
  const [ca, cert, key] = await Promise.all(
    ['ca.pem', 'proxy.pem', 'proxy.key'].map((name) => readFile(join(tls, name), 'utf8')),
  );
  await writeFile(join(tls, 'proxy.pem'), cert! + key!);
  // The containers' users are others than this one.
  for (const name of ['ca.pem', 'nats.pem', 'nats.key', 'proxy.pem']) await chmod(join(tls, name), 0o644);
  for (const path of [dir, tls]) await chmod(path, 0o755);
  const example = await readFile(join(ROOT, 'deploy/cluster/env.example'), 'utf8');
  const more = [
    'CEPH_DISK_GIB=8',
    `TLS_DIR=${tls}`,
    'PROXY_ADDRESS=127.0.0.1',
    'NATS_CONFIG=nats-server-tls.conf',
    'NATS_SCHEME=tls',
    'NATS_CA_FILE=/run/spor/tls/ca.pem',
  ];
  await writeFile(join(dir, 'env'), `${example}\n${more.join('\n')}\n`);
  return {
    events: 'https://127.0.0.1',
    query: 'https://127.0.0.1:8443',
    agent: new Agent({ ca: ca!, keepAlive: true }),
  };
}

async function build({ docker }: ComposeProject, args: readonly string[]): Promise<void> {
  await buildImage(docker, { tag: 'spor', folder: ROOT, args });
  await buildImage(docker, { tag: 'spor-s3', folder: join(ROOT, 'deploy/s3'), args });
  const { bytes, user, labels, packages } = await readImage(docker, 'spor');
  if (user !== '1000:1000') throw new Error(`the image runs as ${user}`);
  if (!labels['org.opencontainers.image.base.name']) throw new Error('the image does not name its base');
  say(`image spor: ${Math.round(bytes / 1e6)} MB, user ${user}, ${packages} packages in its bill of materials`);
}

/** Goes through the life of a deployment with events coming in all the time. */
async function use(project: ComposeProject, endpoint: Endpoint, isCluster: boolean): Promise<void> {
  const { compose, docker, containers } = project;
  await step('up', async () => {
    await compose('up', '-d', '--no-build');
    await untilHealthy(project, isCluster ? 2 : 1);
  });
  for (const one of await containers()) {
    const found = OURS.includes(one.service) ? await openDoors(docker, one) : [];
    if (found.length > 0) throw new Error(`${one.service}: ${found.join('; ')}`);
  }
  const create = async (...args: string[]): Promise<string> => {
    const printed = await compose('run', '--rm', 'spor', ...args, '--tenant', 'demo-shop');
    const secret = /\b(?:ik|rt)_[\w-]+/.exec(printed)?.[0];
    if (!secret) throw new Error(`no secret in: ${printed}`);
    return secret;
  };
  const key = await create('keys', 'create', '--segment', 'web');
  const token = await create('tokens', 'create');
  const traffic = startTraffic(endpoint, key);
  await until('first events are counted', async () => (await countEvents(endpoint, token)).rows > 20);
  const steps: [name: string, act: () => Promise<unknown>][] = isCluster
    ? [
        ['a stream server is killed', () => killOne(project, 'nats-2')],
        ['a receiver is killed', () => killOne(project, 'ingest')],
        ['a processor is killed', () => killOne(project, 'processor')],
        ['receivers restart', () => compose('restart', 'ingest')],
      ]
    : [
        ['two processors', () => compose('up', '-d', '--no-build', '--no-recreate', '--scale', 'processor=2')],
        ['the receiver restarts', () => compose('restart', 'ingest')],
        ['the processors are killed', () => killOne(project, 'processor')],
        ['the query server restarts', () => compose('restart', 'lake')],
        ['the stream server is killed', () => killOne(project, 'nats')],
      ];
  for (const [name, act] of steps)
    await step(name, async () => {
      await act();
      await untilHealthy(project, isCluster ? 2 : 1);
      const before = traffic.acknowledged.size;
      await until('more events are acknowledged', () => traffic.acknowledged.size > before + 20);
    });
  await traffic.stop();
  const sent = traffic.acknowledged.size;
  await until('every event is counted once', async () => {
    const { rows, distinct } = await countEvents(endpoint, token);
    if (rows > sent || distinct !== rows) throw new Error(`${rows} rows of ${distinct} events, and ${sent} were sent`);
    return rows === sent;
  });
  const others = [...traffic.others].map(([status, count]) => `${status}: ${count}`).join(', ');
  say(`${sent} events acknowledged and counted once; other answers: ${others || 'none'}`);
  say(await compose('run', '--rm', 'spor', 'status'));
}

/** Kills one container of a service with SIGKILL and starts it again. */
async function killOne({ docker, containers }: ComposeProject, service: string): Promise<void> {
  const [one] = await containers(service);
  if (!one) throw new Error(`${service} does not run`);
  await docker('kill', one.id);
  await docker('start', one.id);
}

async function untilHealthy({ containers }: ComposeProject, least: number): Promise<void> {
  await until('all are healthy', async () => {
    const all = await containers();
    const enough = OURS.every((name) => all.filter(({ service }) => service === name).length >= least);
    return (
      enough && all.every(({ health, state }) => state === 'running' && (health === undefined || health === 'healthy'))
    );
  });
}

async function step(name: string, act: () => Promise<void>): Promise<void> {
  const startedAt = performance.now();
  await act();
  say(`${name}: ${((performance.now() - startedAt) / 1_000).toFixed(1)} s`);
}

async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  let last: unknown;
  while (performance.now() < deadline) {
    try {
      if (await condition()) return;
      last = undefined;
    } catch (error) {
      last = error;
    }
    await delay(500);
  }
  throw new Error(`${what}: not within ${PATIENCE_MS / 1_000} s`, { cause: last });
}

await main(process.argv.slice(2));

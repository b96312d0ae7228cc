import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parseEnvFile } from '../../cli/settings.ts';
import { freePort } from '../../scripts/freePort.ts';
import { findNatsServer } from '../../scripts/natsServer.ts';
import { IdentityFolder } from '../../stream/identities/folder.ts';
import { natsSpecs } from '../../scripts/stack/services.ts';
import { until } from '../support/until.ts';

const DEPLOY = fileURLToPath(new URL('../../deploy/cluster/', import.meta.url));
const EXAMPLE = parseEnvFile(readFileSync(join(DEPLOY, 'nats.env.example'), 'utf8'));
const NAMES = ['nats-1', 'nats-2', 'nats-3'];

const running: ChildProcess[] = [];
let dir = '';

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'spor-test-deploy-'));
  await copyFile(join(DEPLOY, 'nats-server.conf'), join(dir, 'nats-server.conf'));
  await new IdentityFolder(join(dir, 'access')).init(4, Date.now());
});

afterAll(async () => {
  for (const child of running.filter(({ exitCode, signalCode }) => exitCode === null && signalCode === null)) {
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  }
  if (dir) await rm(dir, { recursive: true, force: true, maxRetries: 5 });
});

/** The example's variables for one server, with loopback addresses. */
function variables(name: string, ports: Map<string, number>): Record<string, string> {
  const local = (address: string): string =>
    address.replace(/(?:0\.0\.0\.0|127\.0\.0\.1|nats-\d):\d+$/, (hostPort) => {
      const [host = '', port = ''] = hostPort.split(':');
      return `127.0.0.1:${ports.get(`${NAMES.includes(host) ? host : name}:${port}`)}`;
    });
  return {
    ...Object.fromEntries(Object.entries(EXAMPLE).map(([variable, value]) => [variable, local(value)])),
    NATS_SERVER_NAME: name,
    NATS_STORE_DIR: join(dir, name),
  };
}

async function start(env: Record<string, string>): Promise<ChildProcess> {
  const child = spawn(await findNatsServer(), ['-c', join(dir, 'nats-server.conf')], {
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  running.push(child);
  return child;
}

it('three servers with the file of deploy/cluster form a cluster', async () => {
  const ports = new Map<string, number>();
  for (const name of NAMES) for (const port of [4222, 6222, 8222]) ports.set(`${name}:${port}`, await freePort());
  for (const name of NAMES) (await start(variables(name, ports))).stderr!.resume();
  for (const name of NAMES) {
    const monitor = `http://127.0.0.1:${ports.get(`${name}:8222`)}`;
    // Two servers may choose a leader before the third has joined, which then raises the size.
    await until(async () => (await fetch(`${monitor}/healthz`)).ok && (await isWhole(monitor)));
    for (const port of [4222, 6222]) {
      expect(await greeting(ports.get(`${name}:${port}`)!), `${name}:${port}`).toMatchObject({ auth_required: true });
    }
  }
});

/** What a server says first to whoever connects (NATS protocol, INFO). */
async function greeting(port: number): Promise<unknown> {
  const socket = connect(port, '127.0.0.1');
  const [line] = (await once(socket, 'data')) as [Buffer];
  socket.destroy();
  return JSON.parse(/^INFO (\{.*\})/.exec(line.toString())![1]!);
}

/** Whether the server knows a leader and all members of the meta group. */
async function isWhole(monitor: string): Promise<boolean> {
  const { meta_cluster } = (await (await fetch(`${monitor}/jsz`)).json()) as {
    meta_cluster: { leader?: string; cluster_size: number };
  };
  return meta_cluster.leader !== undefined && meta_cluster.cluster_size === NAMES.length;
}

it('a server without a name does not start, and says which variable is missing', async () => {
  const child = await start({});
  let text = '';
  child.stderr!.on('data', (chunk: Buffer) => (text += chunk.toString()));
  const [code] = (await once(child, 'exit')) as [number];
  expect(code).not.toBe(0);
  expect(text).toContain('NATS_SERVER_NAME');
});

it('npm run cluster gives each server a name of its own, and the routes to the others', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'spor-test-cluster-'));
  const settings = { dir: folder, env: process.env, ports: 'free' as const, log: () => undefined };
  const specs = await natsSpecs(settings, { cluster: true });
  const configs = specs.map(({ name }) => readFileSync(join(folder, name, 'nats-server.conf'), 'utf8'));
  const [names, own] = [/server_name: "(.+)"/, /cluster \{.*listen: "(.+?)"/].map((form) =>
    configs.map((config) => form.exec(config)?.[1]),
  );
  expect(names).toEqual(['spor-1', 'spor-2', 'spor-3']);
  for (const [index, config] of configs.entries()) {
    const routes = [...config.matchAll(/nats-route:\/\/routes:\w+@([^"]+)/g)].map(([, address]) => address);
    expect(routes).toEqual(own!.filter((_, other) => other !== index));
  }
  await rm(folder, { recursive: true });
});

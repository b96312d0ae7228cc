import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import type { S3Config } from '../../lake/storage/s3.ts';
import { isFree } from '../freePort.ts';
import { cacheFolder } from '../localPrograms.ts';

export interface TestS3 {
  /** A bucket for the test. */
  bucket: string;
  config: S3Config;
  /** The same settings as environment variables. */
  env: Record<string, string>;
  /** Sends a signal to the gateway, which is restarted when killed; false while it is down. */
  signal(name: NodeJS.Signals): Promise<boolean>;
  stop(): Promise<void>;
}

const ACCESS = { accessKeyId: 'SPORTEST', secretAccessKey: 'spor-test-secret' };
const BUCKET = 'spor-test';
/** Range of ports, below those of Linux's outgoing connections. */
const PORTS = { first: 20_000, last: 31_900, each: 100 };

/**
 * Starts a real S3 server with a bucket, or says why not.
 *
 * The server is Ceph's gateway with objects in memory. Its programs come from Debian's packages once, into a cache
 * folder (`SPOR_CACHE_DIR`).
 */
export async function startS3(): Promise<TestS3 | { unavailable: string }> {
  const unavailable = obstacle();
  if (unavailable) return { unavailable };
  const root = join(cacheFolder(), 'ceph');
  if (!existsSync(join(root, 'VERSIONS'))) {
    try {
      await fetchCeph(root);
    } catch (error) {
      return {
        unavailable: `Ceph could not be fetched from Debian's packages: ${String((error as { stderr?: string }).stderr ?? error)}`,
      };
    }
  }
  const dir = await mkdtemp(join(tmpdir(), 'spor-test-s3-'));
  const port = await freePortRange();
  const server = await launch(root, join(dir, 'data'), port);
  const config: S3Config = {
    s3Endpoint: `http://127.0.0.1:${port}`,
    s3Region: 'us-east-1',
    s3ForcePathStyle: true,
    s3Checksums: 'WHEN_REQUIRED',
    s3TimeoutMs: 15_000,
    s3AccessKeyId: ACCESS.accessKeyId,
    s3SecretAccessKey: ACCESS.secretAccessKey,
  };
  await createBucket(config);
  return {
    bucket: BUCKET,
    config,
    env: {
      S3_ENDPOINT: config.s3Endpoint,
      S3_REGION: config.s3Region,
      S3_FORCE_PATH_STYLE: 'true',
      AWS_ACCESS_KEY_ID: ACCESS.accessKeyId,
      AWS_SECRET_ACCESS_KEY: ACCESS.secretAccessKey,
    },
    signal: async (name) => signal(await pidOf(join(dir, 'data', 'run'), 'rgw'), name),
    stop: async () => {
      await stop(server, join(dir, 'data', 'run'));
      await rm(dir, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

function obstacle(): string | undefined {
  if (process.platform !== 'linux' || !existsSync('/etc/debian_version')) return 'the S3 server needs Debian';
  if (process.getuid?.() !== 0) return 'the S3 server needs root, for a mount namespace';
  return undefined;
}

async function fetchCeph(root: string): Promise<void> {
  process.stderr.write(`fetching an S3 server for the tests into ${root} (about 150 MB)\n`);
  await mkdir(dirname(root), { recursive: true });
  await promisify(execFile)('bash', [script('ceph-fetch.sh'), root], { maxBuffer: 16 * 1024 * 1024 });
}

async function launch(root: string, data: string, port: number): Promise<ChildProcess> {
  await mkdir(data, { recursive: true });
  const env = { ...process.env, S3_KEY: ACCESS.accessKeyId, S3_SECRET: ACCESS.secretAccessKey };
  const child = spawn('bash', [script('ceph-up.sh'), root, data, String(port)], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => (stderr = (stderr + chunk.toString()).slice(-4000)));
  const up = new Promise<boolean>((resolve) => {
    createInterface({ input: child.stdout }).on('line', (line) => line === 'up' && resolve(true));
    child.once('exit', () => resolve(false));
  });
  if (await up) return child;
  await stop(child, join(data, 'run'));
  throw new Error(`the S3 server did not start: ${stderr}`);
}

/**
 * Kills the gateway first, because it hangs after its store has ended.
 *
 * A graceful end takes seconds and keeps nothing.
 */
async function stop(server: ChildProcess, pids: string): Promise<void> {
  const exited = server.exitCode === null && server.signalCode === null ? once(server, 'exit') : undefined;
  await writeFile(join(pids, 'stopping'), '').catch(() => undefined); // where it has not begun, there is no folder yet
  for (const name of ['rgw', 'osd', 'mon']) await ended(await pidOf(pids, name));
  // The script may have been about to restart the gateway.
  await ended(await pidOf(pids, 'rgw'));
  // The script waits for the three servers; the kill covers a stop before their start.
  const rest = setTimeout(() => server.kill('SIGKILL'), 2_000);
  await exited;
  clearTimeout(rest);
}

/** Pid of a server; 0 while it does not run. */
async function pidOf(pids: string, name: string): Promise<number> {
  return Number(await readFile(join(pids, `${name}.pid`), 'utf8').catch(() => '0'));
}

async function ended(pid: number): Promise<void> {
  signal(pid, 'SIGKILL');
  const deadline = Date.now() + 5_000;
  while (signal(pid, 0) && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 20));
}

function signal(pid: number, name: NodeJS.Signals | 0): boolean {
  if (pid <= 1) return false;
  try {
    return process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
}

async function createBucket(config: S3Config): Promise<void> {
  const client = new S3Client({
    endpoint: config.s3Endpoint,
    region: config.s3Region,
    forcePathStyle: true,
    credentials: ACCESS,
  });
  try {
    await client.send(new CreateBucketCommand({ Bucket: BUCKET }));
  } finally {
    client.destroy();
  }
}

/** The first port of a range whose first two are free. */
async function freePortRange(): Promise<number> {
  const ranges = Math.floor((PORTS.last - PORTS.first) / PORTS.each);
  for (let tries = 0; tries < 50; tries++) {
    const port = PORTS.first + Math.floor(Math.random() * ranges) * PORTS.each;
    if ((await isFree(port)) && (await isFree(port + 1))) return port;
  }
  throw new Error('no free ports for the S3 server');
}

function script(name: string): string {
  return fileURLToPath(new URL(name, import.meta.url));
}

import { execFile, execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { accessSync, constants } from 'node:fs';
import { chmod, copyFile, mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { unpackDebian } from './debianPackage.ts';
import { cacheFolder } from './localPrograms.ts';

const run = promisify(execFile);

/** Oldest version with every stream option in use. */
const MIN_VERSION = [2, 10] as const;

/** Debian suites with a recent package, best first; their binary runs on any host with Node 20. */
const DEBIAN_SUITES = ['forky', 'sid', 'trixie'];

/** Official release to fetch without apt. */
const RELEASE_VERSION = '2.15.1';
const RELEASES = 'https://github.com/nats-io/nats-server/releases/download';

export interface FindOptions {
  /** Called with each fetch; absent: silent. */
  log?: (line: string) => void;
  /** Folder of a fetched binary; `$SPOR_CACHE_DIR` or `~/.cache/spor`. */
  cacheDir?: string;
  env?: Record<string, string | undefined>;
}

/**
 * The path of a nats-server of version 2.10 or later.
 *
 * Sources in order: `NATS_SERVER_BIN`, PATH, an earlier fetch, Debian's packages, the official release.
 * @throws Error with advice, if there is none
 */
export async function findNatsServer(options: FindOptions = {}): Promise<string> {
  const env = options.env ?? process.env;
  const log = options.log ?? (() => undefined);
  const cacheDir = options.cacheDir ?? cacheFolder(env);

  if (env.NATS_SERVER_BIN) {
    if (isUsable(env.NATS_SERVER_BIN)) return env.NATS_SERVER_BIN;
    throw new Error(`NATS_SERVER_BIN=${env.NATS_SERVER_BIN} is not a nats-server ${MIN_VERSION.join('.')} or newer`);
  }
  const folders = [...(env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin'].filter(Boolean);
  const candidates = [...folders.map((folder) => join(folder, 'nats-server')), join(cacheDir, 'nats-server')];
  const found = candidates.find(isUsable);
  if (found) return found;

  const target = join(cacheDir, 'nats-server');
  const failures: string[] = [];
  for (const [name, fetchInto] of [
    ["Debian's packages", fetchPackage],
    ['the official release', fetchRelease],
  ] as const) {
    const work = await mkdtemp(join(tmpdir(), 'spor-nats-'));
    try {
      log(`nats-server: none found, fetching it from ${name} …`);
      const binary = await fetchInto(work);
      if (!isUsable(binary)) throw new Error('the fetched binary does not run here');
      await install(binary, target);
      log(`nats-server: kept in ${target}`);
      return target;
    } catch (error) {
      failures.push(`${name}: ${error instanceof Error ? error.message.split('\n')[0] : String(error)}`);
    } finally {
      await rm(work, { recursive: true, force: true });
    }
  }
  throw new Error(
    `nats-server ${MIN_VERSION.join('.')} or newer is needed and could not be fetched (${failures.join('; ')}). ` +
      'Install it from https://nats.io/download and put it on PATH, or set NATS_SERVER_BIN to it.',
  );
}

/** The version that a binary reports, as `[major, minor]`; undefined if it does not run. */
export function natsServerVersion(binary: string): [number, number] | undefined {
  try {
    accessSync(binary, constants.X_OK);
    const match = /v(\d+)\.(\d+)\./.exec(
      execFileSync(binary, ['--version'], { encoding: 'utf8', timeout: 10_000, stdio: 'pipe' }),
    );
    return match ? [Number(match[1]), Number(match[2])] : undefined;
  } catch {
    return undefined; // absent or not runnable here: the same to the caller
  }
}

function isUsable(binary: string): boolean {
  const version = natsServerVersion(binary);
  if (!version) return false;
  return version[0] > MIN_VERSION[0] || (version[0] === MIN_VERSION[0] && version[1] >= MIN_VERSION[1]);
}

/** Renames a copy into place, because two processes may fetch at once. */
async function install(binary: string, target: string): Promise<void> {
  await mkdir(join(target, '..'), { recursive: true });
  const staged = `${target}.${process.pid}`;
  await copyFile(binary, staged);
  await chmod(staged, 0o755);
  await rename(staged, target);
}

async function fetchPackage(work: string): Promise<string> {
  return join(await unpackDebian('nats-server', DEBIAN_SUITES, work), 'usr', 'sbin', 'nats-server');
}

/** Fetches the release archive, and checks it against the release's SHA-256 sums. */
async function fetchRelease(work: string): Promise<string> {
  const os = { linux: 'linux', darwin: 'darwin' }[process.platform as string];
  const arch = { x64: 'amd64', arm64: 'arm64' }[process.arch as string];
  if (!os || !arch) throw new Error(`no release for ${process.platform} ${process.arch}`);
  const name = `nats-server-v${RELEASE_VERSION}-${os}-${arch}`;
  const base = `${RELEASES}/v${RELEASE_VERSION}`;
  const archive = await download(`${base}/${name}.tar.gz`);
  const sums = (await download(`${base}/SHA256SUMS`)).toString('utf8');
  const expected = sums
    .split('\n')
    .find((line) => line.endsWith(`${name}.tar.gz`))
    ?.split(/\s+/)[0];
  const actual = createHash('sha256').update(archive).digest('hex');
  if (expected !== actual)
    throw new Error(`the archive's SHA-256 is ${actual}, the release says ${expected ?? 'nothing'}`);
  const file = join(work, 'release.tar.gz');
  await writeFile(file, archive);
  await run('tar', ['-xzf', file, '-C', work]);
  return join(work, name, 'nats-server');
}

async function download(url: string): Promise<Buffer> {
  const response = await fetch(url, { signal: AbortSignal.timeout(60_000) });
  if (!response.ok) throw new Error(`${url} answered ${response.status}`);
  return Buffer.from(await response.arrayBuffer());
}

import { execFile } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { cp, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { unpackDebian } from './debianPackage.ts';

const run = promisify(execFile);

/** A proxy of Debian: its program, the packages that it needs, and the question for its version. */
interface ProxyPackage {
  program: string;
  packages: readonly string[];
  version: string;
}

const PROXIES = {
  nginx: { program: 'usr/sbin/nginx', packages: ['nginx'], version: '-v' },
  haproxy: {
    program: 'usr/sbin/haproxy',
    packages: ['haproxy', 'liblua5.3-0', 'libopentracing-c-wrapper0', 'libopentracing1'],
    version: '-v',
  },
  caddy: { program: 'usr/bin/caddy', packages: ['caddy'], version: 'version' },
} satisfies Record<string, ProxyPackage>;

export type ProxyName = keyof typeof PROXIES;

/** Suites whose programs fit many hosts, best first. */
const SUITES = ['bookworm', 'trixie', 'forky'];
/** Folders of a package's libraries. */
const LIBRARIES = ['usr/lib/x86_64-linux-gnu', 'usr/lib/aarch64-linux-gnu'];

/** A program with the environment that it needs. */
export interface ProxyProgram {
  path: string;
  env: Record<string, string>;
}

/**
 * A proxy: from PATH, an earlier fetch or Debian's packages.
 *
 * A fetch goes into `$SPOR_CACHE_DIR` or `~/.cache/spor`, and installs nothing.
 */
export async function findProxy(
  name: ProxyName,
  env: Record<string, string | undefined> = process.env,
): Promise<ProxyProgram | { unavailable: string }> {
  const { program, packages, version }: ProxyPackage = PROXIES[name];
  const folders = [...(env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin'].filter(Boolean);
  const installed = folders.map((folder) => join(folder, name)).find(isProgram);
  if (installed !== undefined) return { path: installed, env: {} };
  const cache = env.SPOR_CACHE_DIR ?? join(env.HOME ?? homedir(), '.cache', 'spor');
  const kept = join(cache, `proxy-${name}`);
  const found = {
    path: join(kept, program),
    env: { LD_LIBRARY_PATH: LIBRARIES.map((folder) => join(kept, folder)).join(':') },
  };
  const work = await mkdtemp(join(tmpdir(), `spor-${name}-`));
  try {
    if (!isProgram(found.path)) {
      const staged = `${kept}.${process.pid}`; // two processes may fetch at once
      await mkdir(cache, { recursive: true });
      await cp(await unpackDebian(packages, SUITES, work), staged, { recursive: true, verbatimSymlinks: true });
      await rename(staged, kept).catch(() => rm(staged, { recursive: true }));
    }
    await run(found.path, [version], { env: found.env });
    return found;
  } catch (error) {
    return { unavailable: `${name} could not be fetched: ${(error as Error).message.split('\n')[0]}` };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

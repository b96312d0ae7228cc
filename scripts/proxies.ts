import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { unpackDebian } from './debianPackage.ts';
import { cacheFolder, isProgram } from './localPrograms.ts';

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

/** A proxy's program with the environment that it needs, or why there is none. */
export interface FoundProxy {
  name: ProxyName;
  found: { path: string; env: Record<string, string> } | { unavailable: string };
}

/**
 * The proxies: from PATH, an earlier fetch or Debian's packages.
 *
 * One fetch gets them all, into `$SPOR_CACHE_DIR` or `~/.cache/spor`. It installs nothing.
 */
export async function findProxies(env: Record<string, string | undefined> = process.env): Promise<FoundProxy[]> {
  const kept = join(cacheFolder(env), 'proxies');
  const folders = [...(env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin'].filter(Boolean);
  const places = (Object.keys(PROXIES) as ProxyName[]).map((name) => {
    const installed = folders.map((folder) => join(folder, name)).find(isProgram);
    return { name, installed, fetched: join(kept, PROXIES[name].program) };
  });
  const fault = places.some(({ installed, fetched }) => installed === undefined && !isProgram(fetched))
    ? await fetchInto(kept).catch((error: Error) => error.message.split('\n')[0])
    : undefined;
  const libraries = { LD_LIBRARY_PATH: LIBRARIES.map((folder) => join(kept, folder)).join(':') };
  return Promise.all(
    places.map(async ({ name, installed, fetched }): Promise<FoundProxy> => {
      if (installed !== undefined) return { name, found: { path: installed, env: {} } };
      if (fault !== undefined) return { name, found: { unavailable: `${name} could not be fetched: ${fault}` } };
      const failed = await run(fetched, [PROXIES[name].version], { env: libraries }).catch((error: Error) => error);
      if (failed instanceof Error) return { name, found: { unavailable: `Debian's ${name} does not run here` } };
      return { name, found: { path: fetched, env: libraries } };
    }),
  );
}

async function fetchInto(kept: string): Promise<undefined> {
  const work = await mkdtemp(join(tmpdir(), 'spor-proxies-'));
  const staged = `${kept}.${process.pid}`; // two processes may fetch at once
  try {
    const packages = Object.values(PROXIES).flatMap((proxy: ProxyPackage) => proxy.packages);
    await mkdir(staged, { recursive: true });
    await cp(await unpackDebian(packages, SUITES, work), staged, { recursive: true, verbatimSymlinks: true });
    await rename(staged, kept).catch(() => undefined);
  } finally {
    await rm(work, { recursive: true, force: true });
    await rm(staged, { recursive: true, force: true });
  }
}

import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readFile, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { UsageError } from '../../cli/command.ts';

const run = promisify(execFile);
/** Folder of this working copy. */
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** Releases are tagged with the version of package.json: v0.1.0. */
const RELEASES = 'v[0-9]*';
const MOST_OUTPUT = 64 * 1_048_576;

/** The sources of one version, with what they need to run. */
export interface Unpacked {
  /** Tag or short commit, for people. */
  name: string;
  root: string;
  /** Node that runs it. */
  node: string;
}

/** This working copy. */
export function sourcesHere(): Unpacked {
  return { name: 'this version', root: ROOT, node: process.execPath };
}

/**
 * Unpacks a version of this repository into a folder, and installs what it needs.
 *
 * With the same lockfile it uses the modules of this working copy.
 * @param ref a tag or commit; absent: the newest release before this commit
 * @throws UsageError if there is no such version
 */
export async function unpackVersion(ref: string | undefined, dir: string): Promise<Unpacked> {
  const wanted = ref ?? (await newestRelease());
  const commit = await git('rev-parse', '--verify', '--quiet', `${wanted}^{commit}`).catch(() => undefined);
  if (commit === undefined) throw new UsageError(`--from ${wanted} is no tag or commit of this repository`);
  const root = join(dir, 'before');
  await mkdir(root, { recursive: true });
  const archive = join(dir, 'before.tar');
  await git('archive', '--format=tar', `--output=${archive}`, commit);
  await run('tar', ['-xf', archive, '-C', root]);
  const name = ref ?? wanted;
  if (await isSameFile('package-lock.json', root)) {
    await symlink(join(ROOT, 'node_modules'), join(root, 'node_modules'));
    return { name, root, node: process.execPath };
  }
  await run('npm', ['ci', '--no-audit', '--no-fund'], { cwd: root, maxBuffer: MOST_OUTPUT });
  const own = join(root, 'node_modules/node/bin/node');
  return { name, root, node: existsSync(own) ? own : process.execPath };
}

async function newestRelease(): Promise<string> {
  try {
    return await git('describe', '--tags', '--abbrev=0', '--match', RELEASES, 'HEAD^');
  } catch {
    throw new UsageError('there is no release yet, which a tag such as v0.1.0 marks: name a commit with --from');
  }
}

async function isSameFile(path: string, root: string): Promise<boolean> {
  const [here, there] = await Promise.all([ROOT, root].map((folder) => readFile(join(folder, path), 'utf8')));
  return here === there;
}

async function git(...args: string[]): Promise<string> {
  const { stdout } = await run('git', args, { cwd: ROOT, maxBuffer: MOST_OUTPUT });
  return stdout.trim();
}

import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

const DEBIAN_KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';
const DEBIAN_MIRROR = 'http://deb.debian.org/debian';

/**
 * Downloads packages with a separate apt state, and unpacks them into one folder.
 *
 * Nothing is installed, and the machine's package lists stay unchanged. apt verifies the signatures.
 * @param suites Debian suites to look in, best first
 * @param work empty folder
 * @returns the folder that has the packages' files
 * @throws Error with the reason for each suite
 */
export async function unpackDebian(
  names: string | readonly string[],
  suites: readonly string[],
  work: string,
): Promise<string> {
  if (!existsSync(DEBIAN_KEYRING)) throw new Error('this is not a Debian system');
  const state = join(work, 'apt');
  await mkdir(join(state, 'lists', 'partial'), { recursive: true });
  await mkdir(join(state, 'cache', 'archives', 'partial'), { recursive: true });
  await writeFile(join(state, 'status'), '');
  const options = Object.entries({
    'Dir::Etc::SourceList': join(state, 'sources.list'),
    'Dir::Etc::SourceParts': '/dev/null',
    'Dir::Etc::Preferences': '/dev/null',
    'Dir::Etc::PreferencesParts': '/dev/null',
    'Dir::State::Lists': join(state, 'lists'),
    'Dir::State::status': join(state, 'status'),
    'Dir::Cache': join(state, 'cache'),
    'Acquire::Languages': 'none',
    'Acquire::Retries': '2',
    'APT::Sandbox::User': 'root',
    'Debug::NoLocking': '1',
  }).flatMap(([key, value]) => ['-o', `${key}=${value}`]);
  const failures: string[] = [];
  for (const suite of suites) {
    try {
      await writeFile(
        join(state, 'sources.list'),
        `deb [signed-by=${DEBIAN_KEYRING}] ${await debianMirror()} ${suite} main\n`,
      );
      await run('apt-get', [...options, '-qq', 'update'], { timeout: 120_000 });
      await run('apt-get', [...options, '-qq', 'download', ...[names].flat()], { cwd: work, timeout: 120_000 });
      const debs = (await readdir(work)).filter((file) => file.endsWith('.deb'));
      if (debs.length === 0) throw new Error('no package was downloaded');
      for (const deb of debs) await run('dpkg-deb', ['-x', join(work, deb), join(work, 'root')]);
      return join(work, 'root');
    } catch (error) {
      failures.push(`${suite}: ${error instanceof Error ? error.message.split('\n')[0] : String(error)}`);
    }
  }
  throw new Error(failures.join(', '));
}

/** This machine's Debian mirror, such as that of a closed network; else the public one. */
async function debianMirror(): Promise<string> {
  const files = ['/etc/apt/sources.list', '/etc/apt/sources.list.d/debian.sources'];
  for (const file of files.filter((name) => existsSync(name))) {
    const text = await readFile(file, 'utf8');
    const match = /^(?:deb (?:\[[^\]]*\] )?|URIs: *)(https?:\/\/\S*debian)\/? *(?:\s|$)/m.exec(text);
    if (match?.[1]) return match[1];
  }
  return DEBIAN_MIRROR;
}

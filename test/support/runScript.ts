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

/** What a child process of a test takes from the environment. */
function inherited(): Record<string, string> {
  const { HOME = '', PATH = '', NATS_SERVER_BIN = '', SPOR_CACHE_DIR = '' } = process.env;
  return {
    HOME,
    PATH,
    ...(NATS_SERVER_BIN ? { NATS_SERVER_BIN } : {}),
    ...(SPOR_CACHE_DIR ? { SPOR_CACHE_DIR } : {}),
  };
}

/** Runs `spor` within this process: as a process of its own it spends half a second on its start. */
export async function runSpor(
  args: readonly string[],
  { env, cwd = tmpdir(), input = '' }: { env?: Record<string, string>; cwd?: string; input?: string } = {},
): Promise<Finished> {
  const stdout: Buffer[] = [];
  let stderr = '';
  const code = await runCommand('spor', spor, [...args], {
    env: { ...inherited(), ...env },
    cwd,
    now: Date.now,
    input: () => Promise.resolve(input),
    out: (data) => stdout.push(Buffer.from(data)),
    terminal: false,
    err: (text) => (stderr += text),
  });
  return { code, stdout: Buffer.concat(stdout).toString(), stderr };
}

/** Runs a script of this repository as a process of its own, to its end. */
export function runScript(
  script: string,
  args: readonly string[],
  options: { env?: Record<string, string>; cwd?: string; node?: string; input?: string } = {},
): Promise<Finished> {
  return new Promise((resolve) => {
    const child = execFile(
      options.node ?? process.execPath,
      [`${ROOT}${script}`, ...args],
      { cwd: options.cwd ?? ROOT, env: { ...inherited(), ...options.env }, maxBuffer: 64 * 1024 * 1024 },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
        resolve({ code, stdout, stderr });
      },
    );
    child.stdin?.end(options.input ?? '');
  });
}

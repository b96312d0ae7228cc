import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { delay } from '../../runtime/retry.ts';

/** End of a command. */
export interface Ran {
  code: number;
  stdout: string;
  stderr: string;
}

/** An operator at the command line. */
export interface Operator {
  /** Runs `npx spor …` once. */
  spor: (args: readonly string[]) => Promise<Ran>;
  /**
   * Runs `npx spor … --json` until it succeeds, as all commands may be repeated.
   * @returns its answer
   * @throws Error with its last words, if it fails for too long
   */
  untilDone: (args: readonly string[] | (() => readonly string[])) => Promise<unknown>;
}

const PROGRAM = fileURLToPath(new URL('../../cli/spor.ts', import.meta.url));
/** Longer than an election and the waits of a command for it. */
const COMMAND_MS = 60_000;
const PATIENCE_MS = 90_000;
const PAUSE_MS = 500;
const OUTPUT_BYTES = 64 * 1_048_576;

export function createOperator(env: Record<string, string>): Operator {
  const spor = (args: readonly string[]): Promise<Ran> =>
    new Promise((resolve) => {
      const options = { env: { ...process.env, ...env }, timeout: COMMAND_MS, maxBuffer: OUTPUT_BYTES };
      execFile(process.execPath, [PROGRAM, ...args], options, (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
        resolve({ code, stdout, stderr });
      });
    });
  return {
    spor,
    async untilDone(args) {
      const deadline = performance.now() + PATIENCE_MS;
      for (;;) {
        const given = [...(typeof args === 'function' ? args() : args), '--json'];
        const { code, stdout, stderr } = await spor(given);
        if (code === 0) return JSON.parse(stdout) as unknown;
        if (performance.now() > deadline) throw new Error(`spor ${given.join(' ')} ended with ${code}: ${stderr}`);
        await delay(PAUSE_MS);
      }
    },
  };
}

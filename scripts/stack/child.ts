import { fork, type ChildProcess } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

/** Facts that a ready process reports, such as its port. */
export type Facts = Record<string, string | number>;

export interface ChildSpec {
  name: string;
  /** The program, which sends `{ready: facts}` over IPC and stops with the channel (runtime/process.ts). */
  program: URL;
  /** Node that runs it; absent: this one. */
  node?: string;
  /** Arguments and variables; `before` has the facts of the last run, to keep its port. */
  launch: (before: Facts | undefined) => { args?: string[]; env: Record<string, string> };
  /** File to which stderr and stdout are appended. */
  logFile: string;
  /** Longest time until it is ready. */
  readyMs: number;
  /** Longest time from SIGTERM to its end; SIGKILL follows. */
  stopMs: number;
}

export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

export interface StackProcess {
  readonly pid: number;
  readonly facts: Facts;
  /** Resolves when the process has ended for any reason. */
  readonly exited: Promise<Exit>;
  send: (message: Record<string, unknown>) => void;
  /** Sends SIGTERM, then SIGKILL after a timeout; resolves when the process has ended. */
  stop: () => Promise<void>;
}

/**
 * Starts a program as a process, and waits until it is ready.
 *
 * The process has its own group. So Ctrl-C in a terminal reaches only the supervisor, which stops all in order.
 * @throws Error with the end of its log, if it ends or is silent too long; it has ended then
 */
export async function startChild(spec: ChildSpec, before?: Facts): Promise<StackProcess> {
  const { args = [], env } = spec.launch(before);
  const log = openSync(spec.logFile, 'a');
  const child = fork(fileURLToPath(spec.program), args, {
    env,
    stdio: ['ignore', log, log, 'ipc'],
    detached: true,
    ...(spec.node === undefined ? {} : { execPath: spec.node }),
  });
  closeSync(log);
  const exited = new Promise<Exit>((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }));
    child.once('error', () => resolve({ code: null, signal: null }));
  });
  const outcome = await firstOf(child, exited, spec.readyMs);
  if (outcome.facts) {
    return {
      pid: child.pid!,
      facts: outcome.facts,
      exited,
      send: (message) => child.connected && child.send(message, () => undefined),
      stop: () => stopChild(child, exited, spec.stopMs),
    };
  }
  await stopChild(child, exited, spec.stopMs);
  const lines = await lastLines(spec.logFile);
  throw new Error(`${spec.name} ${outcome.failure}. Its last log lines (${spec.logFile}):\n${lines}`);
}

/** Description such as `ended with code 1` or `was killed by SIGKILL`. */
export function describeExit({ code, signal }: Exit): string {
  return signal === null ? `ended with code ${code}` : `was killed by ${signal}`;
}

function firstOf(
  child: ChildProcess,
  exited: Promise<Exit>,
  readyMs: number,
): Promise<{ facts: Facts; failure?: never } | { facts?: never; failure: string }> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve({ failure: `was not ready within ${readyMs / 1000} s` }), readyMs);
    child.on('message', (message: { ready?: Facts }) => {
      if (message.ready) settle({ facts: message.ready });
    });
    void exited.then((exit) => settle({ failure: describeExit(exit) }));
    const settle = (outcome: Parameters<typeof resolve>[0]): void => {
      clearTimeout(timer);
      resolve(outcome);
    };
  });
}

async function stopChild(child: ChildProcess, exited: Promise<Exit>, stopMs: number): Promise<void> {
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), stopMs);
  await exited;
  clearTimeout(timer);
}

const TAIL_BYTES = 8_192;
const TAIL_LINES = 15;

/** The last lines of a log, indented; pino's JSON is cut to level, message and error. */
export async function lastLines(file: string): Promise<string> {
  const handle = await open(file, 'r');
  try {
    const { size } = await handle.stat();
    const from = Math.max(0, size - TAIL_BYTES);
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(size - from), 0, size - from, from);
    const lines = buffer.subarray(0, bytesRead).toString('utf8').trimEnd().split('\n').slice(-TAIL_LINES);
    return lines.map((line) => `  ${readable(line)}`).join('\n');
  } finally {
    await handle.close();
  }
}

function readable(line: string): string {
  if (!line.startsWith('{')) return line;
  try {
    const { msg, err } = JSON.parse(line) as { msg?: string; err?: { message?: string; stack?: string } };
    return [msg, err?.message].filter(Boolean).join(': ') || line;
  } catch {
    return line; // cut in the middle
  }
}

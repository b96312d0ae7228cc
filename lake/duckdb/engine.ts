import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Logger } from '../../runtime/log.ts';
import type { InstanceOptions } from './instance.ts';
import type { SqlEngine, SqlRow, SqlSession } from './sqlEngine.ts';

export interface EngineRequest {
  id: number;
  session: number;
  /** Run one after the other, until one fails. Absent: the session is done with. */
  statements?: readonly string[];
}

export interface EngineAnswer {
  id: number;
  /** Of each statement. */
  rows?: SqlRow[][];
  error?: string;
  rssBytes: number;
}

/** What a failed statement means for whoever sent it. */
export type EngineFault =
  /** A value in the input cannot be read or converted. */
  | 'data'
  /** The statement needs more memory than DuckDB may use. */
  | 'memory'
  /** The process ended while the statement ran. */
  | 'died'
  | 'other';

export class EngineError extends Error {
  readonly fault: EngineFault;

  constructor(fault: EngineFault, message: string) {
    super(message);
    this.name = 'EngineError';
    this.fault = fault;
  }
}

/** A session of an engine; what fails is an EngineError. */
export interface EngineSession extends SqlSession {
  /**
   * Runs statements without waiting for this process between them; returns the rows of each.
   * @throws EngineError of the first that fails; those after it are not run.
   */
  runAll(statements: readonly string[]): Promise<SqlRow[][]>;
}

export interface EngineOptions {
  /** Scratch folder, emptied at start. */
  dir: string;
  /** DuckDB's size, such as `1GiB`. */
  memory: string;
  threads: number;
  /** Takes a quarter of the memory, 256 MiB at most, at once and for good. */
  preallocateMemory?: boolean;
  /** How much more willing than others to wait for the processor, 0 to 19. */
  niceness?: number;
  log: Logger;
}

export interface EngineChildOptions {
  instance: InstanceOptions;
  preallocateMemory: boolean;
  niceness: number;
}

const START_MS = 30_000;

/**
 * DuckDB in a child process. In this process it would take turns with everything else for libuv's four threads, and a fault
 * that ends it would end the leases and the reading of every shard. Measured on two cores, a statement by IPC costs 0.1 ms
 * more, and rows pass by file, not by IPC. A child that dies fails what runs on it and is started again by the next use.
 */
export class Engine implements SqlEngine {
  readonly #options: EngineOptions;
  #child: Promise<ChildProcess> | undefined;
  readonly #waiting = new Map<number, { resolve: (rows: SqlRow[][]) => void; reject: (error: EngineError) => void }>();
  #lastId = 0;
  #lastSession = 0;
  #closed = false;
  rssBytes = 0;
  restarts = 0;

  constructor(options: EngineOptions) {
    this.#options = options;
  }

  /** Starts the process, so that a fault in its settings shows now. */
  async start(): Promise<void> {
    await this.#started();
  }

  session(): EngineSession {
    const session = ++this.#lastSession;
    let before: Promise<unknown> = Promise.resolve();
    const runAll = (statements: readonly string[]): Promise<SqlRow[][]> => {
      const rows = before.then(() => this.#ask({ session, statements }));
      before = rows.catch(() => undefined);
      return rows;
    };
    return {
      run: async (sql) => (await runAll([sql]))[0]!,
      runAll,
      close: async () => {
        if (this.#child && !this.#closed) await this.#ask({ session });
      },
    };
  }

  async close(): Promise<void> {
    this.#closed = true;
    const child = await this.#child?.catch(() => undefined);
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.disconnect();
    await exited;
  }

  async #ask(request: Omit<EngineRequest, 'id'>): Promise<SqlRow[][]> {
    if (this.#closed) throw new EngineError('died', 'the engine is closed');
    const child = await this.#started();
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      child.send({ id, ...request }, (error) => {
        if (error) this.#settle({ id, error: error.message, rssBytes: 0 }, 'died');
      });
    });
  }

  #started(): Promise<ChildProcess> {
    if (!this.#child) {
      const launched = this.#launch();
      // For instance because the disk is full: the next use tries again.
      launched.catch(() => {
        if (this.#child === launched) this.#child = undefined;
      });
      this.#child = launched;
    }
    return this.#child;
  }

  async #launch(): Promise<ChildProcess> {
    const { dir, memory, threads, preallocateMemory = false, niceness = 0, log } = this.#options;
    const spillDir = join(dir, 'spill');
    await rm(spillDir, { recursive: true, force: true });
    await mkdir(spillDir, { recursive: true });
    // Each open partition of a COPY is one; the default of 100 would split files of a source with more days.
    const settings = { partitioned_write_max_open_files: '10000' };
    const options: EngineChildOptions = {
      instance: { memory, threads, spillDir, settings },
      preallocateMemory,
      niceness,
    };
    const child = fork(fileURLToPath(new URL('./engineChild.ts', import.meta.url)), [JSON.stringify(options)], {
      serialization: 'advanced',
      execArgv: [],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      // A session of its own, which it can be nice with.
      detached: niceness > 0,
      // Statements run on libuv's threads, one for each shard at work.
      env: { ...process.env, UV_THREADPOOL_SIZE: '16' },
    });
    const { promise: started, resolve, reject } = Promise.withResolvers<void>();
    child.on('message', (answer: EngineAnswer) => {
      this.rssBytes = answer.rssBytes;
      if (answer.id === 0) resolve();
      else this.#settle(answer);
    });
    child.on('error', (error) => reject(new EngineError('died', error.message)));
    child.once('exit', (code, signal) => {
      this.#child = undefined;
      reject(new EngineError('died', `DuckDB's process ended at start with ${code ?? signal}`));
      for (const id of this.#waiting.keys()) {
        this.#settle({ id, error: `DuckDB's process ended with ${code ?? signal}`, rssBytes: 0 }, 'died');
      }
      if (this.#closed) return;
      this.restarts++;
      log.error({ code, signal }, "DuckDB's process ended and will be started again");
    });
    const timer = setTimeout(() => child.kill('SIGKILL'), START_MS);
    try {
      await started;
    } finally {
      clearTimeout(timer);
    }
    return child;
  }

  #settle({ id, rows, error }: EngineAnswer, fault?: EngineFault): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (rows) waiting?.resolve(rows);
    else waiting?.reject(new EngineError(fault ?? faultOf(error ?? ''), error ?? 'no answer'));
  }
}

/** DuckDB names the kind of an error at its beginning. */
function faultOf(message: string): EngineFault {
  if (message.startsWith('Out of Memory Error')) return 'memory';
  if (/^(Conversion|Invalid Input|Out of Range|Serialization) Error/.test(message)) return 'data';
  return 'other';
}

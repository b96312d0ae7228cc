import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ChildEndedError, ChildProcess } from '../../runtime/childProcess.ts';
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

type EngineChild = ChildProcess<EngineRequest, EngineAnswer>;

/**
 * DuckDB in a child process. In this process it would take turns with everything else for libuv's four threads, and a fault
 * that ends it would end the leases and the reading of every shard. Measured on two cores, a statement by IPC costs 0.1 ms
 * more, and rows pass by file, not by IPC. A child that dies fails what runs on it and is started again by the next use.
 */
export class Engine implements SqlEngine {
  readonly #options: EngineOptions;
  #child: Promise<EngineChild> | undefined;
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
    await child?.close();
  }

  async #ask(request: Omit<EngineRequest, 'id'>): Promise<SqlRow[][]> {
    if (this.#closed) throw new EngineError('died', 'the engine is closed');
    const child = await this.#started();
    const { rows, error, rssBytes } = await unlessDied(child.ask({ id: ++this.#lastId, ...request }));
    this.rssBytes = rssBytes;
    if (rows) return rows;
    throw new EngineError(faultOf(error ?? ''), error ?? 'no answer');
  }

  #started(): Promise<EngineChild> {
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

  async #launch(): Promise<EngineChild> {
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
    const child: EngineChild = ChildProcess.start({
      module: new URL('./engineChild.ts', import.meta.url),
      name: "DuckDB's process",
      args: [JSON.stringify(options)],
      execArgv: [],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      // A session of its own, which it can be nice with.
      detached: niceness > 0,
      // Statements run on libuv's threads, one for each shard at work.
      env: { ...process.env, UV_THREADPOOL_SIZE: '16' },
      onExit: (code, signal) => {
        this.#child = undefined;
        if (this.#closed) return;
        this.restarts++;
        log.error({ code, signal }, "DuckDB's process ended and will be started again");
      },
    });
    this.rssBytes = (await unlessDied(child.started)).rssBytes;
    return child;
  }
}

/** What the child says. @throws EngineError died */
async function unlessDied<T>(said: Promise<T>): Promise<T> {
  try {
    return await said;
  } catch (error) {
    throw error instanceof ChildEndedError ? new EngineError('died', error.message) : error;
  }
}

/** DuckDB names the kind of an error at its beginning. */
function faultOf(message: string): EngineFault {
  if (message.startsWith('Out of Memory Error')) return 'memory';
  if (/^(Conversion|Invalid Input|Out of Range|Serialization) Error/.test(message)) return 'data';
  return 'other';
}

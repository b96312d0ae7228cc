import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ChildEndedError, ChildProcess } from '../../runtime/childProcess.ts';
import type { Logger } from '../../runtime/log.ts';
import { isFatal } from './fatal.ts';
import type { InstanceOptions } from './instance.ts';
import type { SqlEngine, SqlRow, SqlSession } from './sqlEngine.ts';

export interface EngineRequest {
  id: number;
  session: number;
  /** Run in order until one fails. Absent: the session is closed. */
  statements?: readonly string[];
}

export interface EngineAnswer {
  id: number;
  /** Rows of each statement. */
  rows?: SqlRow[][];
  error?: string;
  rssBytes: number;
}

/** Cause of a failed statement. */
export type EngineFault =
  /** A value of the input is unreadable or not convertible. */
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

/** A session of an engine, which fails with EngineError. */
export interface EngineSession extends SqlSession {
  /**
   * Runs statements in one request; returns the rows of each.
   * @throws EngineError of the first failure; later statements are not run
   */
  runAll(statements: readonly string[]): Promise<SqlRow[][]>;
}

export interface EngineOptions {
  /** Scratch folder, emptied at start. */
  dir: string;
  /** DuckDB's size, such as `1GiB`. */
  memory: string;
  threads: number;
  /** Keeps a quarter of the memory, 256 MiB at most, once statements have used half as much. */
  keepMemory?: boolean;
  /** Time without a statement after which the process ends. The next statement starts another. Absent: never. */
  idleMs?: number;
  /** Nice value of the process, 0 to 19. */
  niceness?: number;
  log: Logger;
}

export interface EngineChildOptions {
  instance: InstanceOptions;
  keepMemory: boolean;
  niceness: number;
}

type EngineChild = ChildProcess<EngineRequest, EngineAnswer>;

/**
 * DuckDB in a child process.
 *
 * In this process DuckDB would compete for libuv's four threads, and a crash would end all leases and reading. The
 * price of a statement over IPC is in docs/performance.md, "Processor, many tenants". Rows pass by file, not by IPC.
 * When the child dies, its statements fail, and the next use starts a new child. After an error that leaves DuckDB
 * unusable, the child is killed.
 */
export class Engine implements SqlEngine {
  readonly #options: EngineOptions;
  #child: Promise<EngineChild> | undefined;
  #lastId = 0;
  #lastSession = 0;
  #closed = false;
  /** Requests without an answer. */
  #asking = 0;
  #idle: NodeJS.Timeout | undefined;
  /** The child that ends because it was idle. */
  #dismissed: EngineChild | undefined;
  rssBytes = 0;
  restarts = 0;

  constructor(options: EngineOptions) {
    this.#options = options;
  }

  /** Starts the process, so that faulty settings fail now. */
  async start(): Promise<void> {
    await this.#started();
    this.#restWhenIdle();
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
    clearTimeout(this.#idle);
    const child = await this.#child?.catch(() => undefined);
    await child?.close();
  }

  /** Ends the process at once; statements that run fail. */
  async kill(): Promise<void> {
    this.#closed = true;
    const child = await this.#child?.catch(() => undefined);
    child?.kill();
  }

  async #ask(request: Omit<EngineRequest, 'id'>): Promise<SqlRow[][]> {
    if (this.#closed) throw new EngineError('died', 'the engine is closed');
    clearTimeout(this.#idle);
    this.#asking++;
    try {
      const child = await this.#started();
      const { rows, error, rssBytes } = await unlessDied(child.ask({ id: ++this.#lastId, ...request }));
      this.rssBytes = rssBytes;
      if (rows) return rows;
      if (isFatal(error ?? '')) {
        this.#child = undefined;
        child.kill();
        throw new EngineError('died', error!);
      }
      throw new EngineError(faultOf(error ?? ''), error ?? 'no answer');
    } finally {
      this.#asking--;
      this.#restWhenIdle();
    }
  }

  /** Ends the process after a while without statements. Each window makes its tables anew, so none is missed. */
  #restWhenIdle(): void {
    const { idleMs } = this.#options;
    clearTimeout(this.#idle);
    if (idleMs === undefined || this.#asking > 0 || this.#closed) return;
    const rest = async (): Promise<void> => {
      const child = await this.#child?.catch(() => undefined);
      // A statement may have come meanwhile.
      if (!child || this.#asking > 0 || this.#closed) return;
      this.#child = undefined;
      this.#dismissed = child;
      this.rssBytes = 0;
      await child.close();
    };
    this.#idle = setTimeout(() => void rest(), idleMs).unref();
  }

  #started(): Promise<EngineChild> {
    if (!this.#child) {
      const launched = this.#launch(() => {
        if (this.#child === launched) this.#child = undefined;
      });
      // A full disk is one cause: the next use tries again.
      launched.catch(() => {
        if (this.#child === launched) this.#child = undefined;
      });
      this.#child = launched;
    }
    return this.#child;
  }

  async #launch(forget: () => void): Promise<EngineChild> {
    const { dir, memory, threads, keepMemory = false, niceness = 0, log } = this.#options;
    const spillDir = join(dir, 'spill');
    await rm(spillDir, { recursive: true, force: true });
    await mkdir(spillDir, { recursive: true });
    // Each open partition of a COPY counts. The default of 100 would split the files of a source with more days.
    const settings = { partitioned_write_max_open_files: '10000' };
    const options: EngineChildOptions = {
      instance: { memory, threads, spillDir, settings },
      keepMemory,
      niceness,
    };
    const child: EngineChild = ChildProcess.start({
      module: new URL('./engineChild.ts', import.meta.url),
      name: "DuckDB's process",
      args: [JSON.stringify(options)],
      execArgv: [],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      // A session of its own, so that the nice value takes effect.
      detached: niceness > 0,
      // Statements run on libuv's threads, one for each active shard.
      env: { ...process.env, UV_THREADPOOL_SIZE: '16' },
      onExit: (code, signal) => {
        forget();
        if (this.#closed || this.#dismissed === child) return;
        this.restarts++;
        log.error({ code, signal }, "DuckDB's process ended and will be started again");
      },
    });
    this.rssBytes = (await unlessDied(child.started)).rssBytes;
    return child;
  }
}

/** Waits for the child's reply. @throws EngineError died */
async function unlessDied<T>(said: Promise<T>): Promise<T> {
  try {
    return await said;
  } catch (error) {
    throw error instanceof ChildEndedError ? new EngineError('died', error.message) : error;
  }
}

/** Reads the kind of an error from the beginning of DuckDB's message. */
function faultOf(message: string): EngineFault {
  if (message.startsWith('Out of Memory Error')) return 'memory';
  if (/^(Conversion|Invalid Input|Out of Range|Serialization) Error/.test(message)) return 'data';
  return 'other';
}

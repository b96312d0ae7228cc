import { ChildEndedError, ChildProcess } from '../../../runtime/childProcess.ts';
import type { Logger } from '../../../runtime/log.ts';
import { LakeError } from '../../../lake/errors.ts';
import type { BuildJob, BuiltFiles } from '../buildFiles.ts';
import type { Executor } from '../executor.ts';
import type { CheckedSql } from '../sqlCheck.ts';
import type { AnswerFacts, AnswerJob } from '../writeAnswer.ts';
import { plainParameters } from './parameters.ts';
import { residentBytes } from './residentBytes.ts';
import { EXIT_MEMORY, type WorkerReply, type WorkerRequest } from './protocol.ts';

/** Memory of Node, DuckDB and rows in transit, besides DuckDB's limit. */
const OVERHEAD_BYTES = 384 * 1_048_576;
/** Memory of a process without a query. */
const USUAL_BYTES = 320 * 1_048_576;
/** Memory after a query above which a process is not used again. A new one costs more than most queries. */
const KEPT_BYTES = 512 * 1_048_576;
/** Time without a query after which a process ends. */
const IDLE_MS = 60_000;
/** Time between the interrupt of a query and the kill of its process. */
const GRACE_MS = 1_000;
/**
 * Interval of memory checks by the parent.
 *
 * DuckDB may fold constants of gigabytes on the child's main thread, which then cannot check.
 */
const WATCH_MS = 25;
const TOO_MUCH_MEMORY = 'The query needs more memory than allowed. Narrow it, or aggregate in steps.';
/** Time limit of parsing. Nested comments can keep the parser busy for minutes. */
const PARSE_MS = 1_000;

interface Limits {
  signal: AbortSignal | undefined;
  timeoutMs: number;
  /** DuckDB's own limit. */
  memoryMb: number;
}

type WorkerProcess = ChildProcess<WorkerRequest, WorkerReply>;

interface Worker {
  child: WorkerProcess;
  rssBytes: number;
  /** Ends the process when it has been idle for long. */
  idle?: NodeJS.Timeout;
}

/**
 * Processes that run queries, one at a time each.
 *
 * DuckDB's limits do not bind every statement, and a text can keep the parser busy forever (docs/performance.md, "Queries"). A
 * process that exceeds its memory or ignores its deadline is killed, without harm to other queries. Healthy processes are
 * reused, and end after a while without a query.
 */
export class WorkerPool implements Executor {
  readonly #log: Logger;
  readonly #idle: Worker[] = [];
  readonly #all = new Set<WorkerProcess>();
  #lastId = 0;
  #closed = false;

  private constructor(log: Logger) {
    this.#log = log;
  }

  /** Start one process, and resolve when it can take a query. */
  static async start(log: Logger): Promise<WorkerPool> {
    const pool = new WorkerPool(log);
    pool.#rest(await pool.#launch());
    return pool;
  }

  async check(sql: string): Promise<CheckedSql> {
    const limits = { signal: undefined, timeoutMs: PARSE_MS, memoryMb: 0 };
    const { checked } = await this.#ask({ check: sql }, limits);
    return checked!;
  }

  async run({ query, ...job }: AnswerJob): Promise<AnswerFacts> {
    const { signal, parameters, ...rest } = query;
    if (signal?.aborted) throw new LakeError('query_cancelled', 'The query was cancelled.');
    const bound = parameters ? { parameters: plainParameters(parameters) } : {};
    const { facts } = await this.#ask({ job: { ...job, query: rest }, ...bound }, { ...job.limits, signal });
    return facts!;
  }

  async build(job: BuildJob): Promise<BuiltFiles> {
    const { built } = await this.#ask({ build: job }, { ...job.limits, signal: undefined });
    return built!;
  }

  close(): void {
    this.#closed = true;
    for (const child of this.#all) child.kill();
  }

  async #ask(request: Omit<WorkerRequest, 'id'>, limits: Limits): Promise<WorkerReply> {
    const worker = this.#idle.pop() ?? (await this.#launch());
    clearTimeout(worker.idle);
    const maxRssBytes = Math.max(worker.rssBytes, USUAL_BYTES) + limits.memoryMb * 1_048_576 + OVERHEAD_BYTES;
    try {
      const reply = await this.#exchange(worker, { ...request, id: ++this.#lastId, maxRssBytes }, limits);
      worker.rssBytes = reply.rssBytes;
      if (!reply.error) return reply;
      const { code, message, cause } = reply.error;
      throw new LakeError(code, message, { cause });
    } finally {
      this.#putBack(worker);
    }
  }

  async #exchange(
    { child }: Worker,
    request: WorkerRequest & { maxRssBytes: number },
    { signal, timeoutMs }: Limits,
  ): Promise<WorkerReply> {
    const { maxRssBytes } = request;
    let killed: LakeError | undefined;
    const kill = (error: LakeError): void => {
      killed ??= error;
      child.kill();
    };
    const timers = [
      setTimeout(
        () => kill(new LakeError('query_timeout', `The query took longer than ${timeoutMs} ms and was stopped.`)),
        timeoutMs + GRACE_MS,
      ),
    ];
    const watch = setInterval(() => {
      void residentBytes(child.pid!).then((bytes) => {
        if (bytes !== undefined && bytes > maxRssBytes) kill(new LakeError('query_out_of_memory', TOO_MUCH_MEMORY));
      });
    }, WATCH_MS);
    const onAbort = (): void => {
      child.tell({ id: request.id });
      const cancelled = new LakeError('query_cancelled', 'The query was cancelled.');
      timers.push(setTimeout(() => kill(cancelled), GRACE_MS));
    };
    signal?.addEventListener('abort', onAbort);
    try {
      return await child.ask(request);
    } catch (error) {
      throw error instanceof ChildEndedError ? (killed ?? this.#ended(error)) : error;
    } finally {
      timers.forEach(clearTimeout);
      clearInterval(watch);
      signal?.removeEventListener('abort', onAbort);
    }
  }

  #ended({ code, signal }: ChildEndedError): LakeError {
    if (code === EXIT_MEMORY || signal === 'SIGKILL') {
      return new LakeError('query_out_of_memory', TOO_MUCH_MEMORY);
    }
    this.#log.error({ code, signal }, 'the process of a query has crashed');
    return new LakeError('query_crashed', 'The query crashed its process. No other query was affected.');
  }

  #putBack(worker: Worker): void {
    const { child, rssBytes } = worker;
    if (child.alive && rssBytes <= KEPT_BYTES) this.#rest(worker);
    else if (child.alive) child.kill();
    if (this.#idle.length === 0) this.#spare();
  }

  /** Keep a process for the next query. The last one used is the first to be used again, so that others end. */
  #rest(worker: Worker): void {
    const end = (): void => {
      this.#forget(worker.child);
      worker.child.kill();
    };
    worker.idle = setTimeout(end, IDLE_MS).unref();
    this.#idle.push(worker);
  }

  /** Gives a process no further query. */
  #forget(child: WorkerProcess): void {
    const index = this.#idle.findIndex((worker) => worker.child === child);
    if (index >= 0) this.#idle.splice(index, 1);
  }

  /** Start a process in advance for the next query. */
  #spare(): void {
    if (this.#closed) return;
    this.#launch().then(
      (worker) => this.#rest(worker),
      (error: unknown) => this.#log.error({ err: error }, 'a process for queries could not be started'),
    );
  }

  async #launch(): Promise<Worker> {
    const child: WorkerProcess = ChildProcess.start({
      module: new URL('./child.ts', import.meta.url),
      name: 'the process of a query',
      execArgv: ['--disable-warning=ExperimentalWarning'],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      env: { PATH: process.env.PATH },
      onExit: () => {
        this.#all.delete(child);
        this.#forget(child);
      },
    });
    this.#all.add(child);
    return { child, rssBytes: (await child.started).rssBytes };
  }
}

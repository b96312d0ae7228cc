import type { DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import { LakeError } from '../../lake/errors.ts';
import { classify, withoutPaths } from './duckdbErrors.ts';
import { openInstance, type InstanceLimits, type KeptInstance, type OpenInstance } from './instances.ts';
import { INTERRUPT_EVERY_MS, openRowStream, type RowStream, type SqlParameters } from './rowStream.ts';
import { connectUtc } from '../../lake/duckdb/instance.ts';
import { literal } from '../../lake/duckdb/sqlText.ts';

export interface SandboxLimits extends InstanceLimits {
  /** Limit from the start of the query, including the opening of its files. */
  timeoutMs: number;
  maxRows: number;
  /** Limit of the answer in its format. */
  maxBytes: number;
}

export interface SandboxQuery {
  /** Trusted statements that create the views. */
  views: readonly string[];
  /** Absolute paths that the views read. DuckDB can open no other file. */
  files: readonly string[];
  /** Untrusted SQL that has passed checkSql. */
  sql: string;
  parameters?: SqlParameters | undefined;
  /** Whether the SQL is ours too. Then it runs without locks, and its views are temporary. */
  isOurs?: boolean;
  /** Trusted statement that counts the rows of bots, where the views leave them out. */
  botCount?: string | undefined;
  signal?: AbortSignal;
}

type Limits = Pick<SandboxLimits, keyof InstanceLimits | 'timeoutMs'>;

/** A database, ready for the query. */
export interface SandboxSession {
  connection: DuckDBConnection;
  /** Starts the query. */
  stream(): Promise<RowStream>;
}

/**
 * Run untrusted SQL in an in-memory DuckDB that holds only the views. Before the SQL runs, DuckDB loses access to everything
 * but the listed files, and its configuration is locked. DuckDB does not spill to disk: a query fails if it needs more memory
 * than allowed.
 *
 * Some functions, such as `repeat`, exceed the memory limit and ignore interrupts (docs/performance.md, "Queries"). A server
 * therefore runs this function in a process that it can kill (worker/pool.ts).
 * @throws LakeError query_timeout, query_cancelled, query_out_of_memory, sql_invalid, sql_failed, sql_forbidden
 */
export function runSandboxed<T>(
  query: SandboxQuery,
  { limits, open = openInstance }: { limits: Limits; open?: OpenInstance | undefined },
  task: (session: SandboxSession) => Promise<T>,
): Promise<T> {
  return withStop(query, limits, async (stop) => {
    const instance = await open(limits);
    try {
      return await connected(instance, { query, stop, lock: true }, task);
    } finally {
      instance.closeSync();
    }
  });
}

/**
 * Run our own SQL in a database that is kept for more of it. Limits of time and memory hold as for untrusted SQL.
 * @throws LakeError those of runSandboxed
 */
export function runOurs<T>(
  query: SandboxQuery,
  { limits, kept }: { limits: Limits; kept: KeptInstance },
  task: (session: SandboxSession) => Promise<T>,
): Promise<T> {
  return withStop(query, limits, async (stop) => {
    try {
      return await connected(await kept.open(limits), { query, stop, lock: false }, task);
    } catch (error) {
      kept.drop();
      throw error;
    }
  });
}

/** Run a task with a stop for its time and signal, and with errors as callers may see them. */
async function withStop<T>(query: SandboxQuery, { timeoutMs }: Limits, task: (stop: Stop) => Promise<T>): Promise<T> {
  const stop = createStop(timeoutMs, query.signal);
  try {
    return await task(stop);
  } catch (error) {
    throw stop.reason() ?? withoutPaths(classify(error), query.files);
  } finally {
    stop.end();
  }
}

async function connected<T>(
  instance: DuckDBInstance,
  { query, stop, lock }: { query: SandboxQuery; stop: Stop; lock: boolean },
  task: (session: SandboxSession) => Promise<T>,
): Promise<T> {
  const connection = await connectUtc(instance);
  try {
    stop.watch(connection);
    for (const view of query.views) {
      stop.check();
      await connection.run(view);
    }
    if (lock) await lockDown(connection, query.files);
    stop.check();
    const { sql, parameters } = query;
    return await task({
      connection,
      stream: () => openRowStream(connection, { sql, parameters, check: () => stop.check() }),
    });
  } finally {
    connection.closeSync();
  }
}

/** Memory of the parser. A body of 256 KiB becomes a tree of up to 20 MB, which DuckDB copies as it grows. */
const PARSER_MB = 512;

/** Open a connection that can only parse, for checkSql. */
export async function openParser(): Promise<{ connection: DuckDBConnection; close(): void }> {
  const instance = await openInstance({ memoryMb: PARSER_MB, threads: 1 });
  const connection = await instance.connect();
  await connection.run('SET enable_external_access = false');
  await connection.run('SET lock_configuration = true');
  return {
    connection,
    close: () => {
      connection.closeSync();
      instance.closeSync();
    },
  };
}

async function lockDown(connection: DuckDBConnection, files: readonly string[]): Promise<void> {
  await connection.run(`SET allowed_paths = [${files.map(literal).join(', ')}]`);
  await connection.run('SET enable_external_access = false');
  await connection.run('SET lock_configuration = true');
}

interface Stop {
  watch(connection: DuckDBConnection): void;
  /** @throws LakeError if the time is up or the caller has left */
  check(): void;
  reason(): LakeError | undefined;
  end(): void;
}

function createStop(timeoutMs: number, signal: AbortSignal | undefined): Stop {
  let reason: LakeError | undefined;
  let connection: DuckDBConnection | undefined;
  let again: NodeJS.Timeout | undefined;
  const stop = (why: LakeError): void => {
    reason ??= why;
    connection?.interrupt();
    again ??= setInterval(() => connection?.interrupt(), INTERRUPT_EVERY_MS);
  };
  const cancelled = (): void => stop(new LakeError('query_cancelled', 'The query was cancelled.'));
  const timer = setTimeout(() => {
    stop(
      new LakeError(
        'query_timeout',
        `The query took longer than ${timeoutMs} ms and was stopped. Narrow it, for instance by date.`,
      ),
    );
  }, timeoutMs);
  signal?.addEventListener('abort', cancelled);
  if (signal?.aborted) cancelled();
  return {
    watch: (opened) => {
      connection = opened;
    },
    check: () => {
      if (reason) throw reason;
    },
    reason: () => reason,
    end: () => {
      clearTimeout(timer);
      clearInterval(again);
      signal?.removeEventListener('abort', cancelled);
    },
  };
}

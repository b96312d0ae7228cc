import {
  ResultReturnType,
  type DuckDBConnection,
  type DuckDBResult,
  type DuckDBType,
  type DuckDBValue,
} from '@duckdb/node-api';
import { LakeError } from '../../lake/errors.ts';
import { behindOwnLine, classify } from './duckdbErrors.ts';

/** Values of `$name` parameters, with types where the value is ambiguous. */
export interface SqlParameters {
  values: Record<string, DuckDBValue>;
  types: Record<string, DuckDBType>;
}

/** The rows of a running statement. */
export interface RowStream {
  names: readonly string[];
  types: readonly DuckDBType[];
  /**
   * Rows in chunks of at most 2,048. Ends normally only after the last row.
   * @throws LakeError the statement's own error, at any row; the error of `check`
   */
  chunks(): AsyncGenerator<DuckDBValue[][]>;
  /**
   * End a statement early.
   *
   * Closing the connection instead would leave its memory to the garbage collector.
   */
  drain(): Promise<void>;
}

/** Interval between interrupts. A query that has just begun may miss one. */
export const INTERRUPT_EVERY_MS = 25;

/**
 * Start a statement and stream its rows. No other file may read a streaming result of DuckDB.
 *
 * `fetchChunk()` returns an empty chunk at the end, after a failure and after an interrupt. Only the return type tells a
 * failure: INVALID means that the result holds an error. The client cannot read that error, so a second run of the statement
 * finds it.
 * @param check throws if the caller has stopped the statement
 * @throws Error of DuckDB, if the statement fails before its first chunk
 */
export async function openRowStream(
  connection: DuckDBConnection,
  { sql, parameters, check }: { sql: string; parameters?: SqlParameters | undefined; check: () => void },
): Promise<RowStream> {
  const result = await connection.stream(sql, parameters?.values, parameters?.types);
  return {
    names: result.columnNames(),
    types: result.columnTypes(),
    chunks: async function* () {
      for (let chunk = await result.fetchChunk(); chunk?.rowCount; chunk = await result.fetchChunk())
        yield chunk.getRows();
      check();
      if (result.returnType === ResultReturnType.INVALID) throw await findError(connection, sql, parameters);
      check();
    },
    drain: () => drain(result, connection),
  };
}

/**
 * Run a failed statement again to learn its error.
 *
 * EXPLAIN ANALYZE runs the same plan and keeps no rows, so memory does not grow. A statement with random numbers may not fail
 * again, and then its error is unknown.
 */
async function findError(
  connection: DuckDBConnection,
  sql: string,
  parameters: SqlParameters | undefined,
): Promise<LakeError> {
  try {
    await connection.run(`EXPLAIN ANALYZE\n${sql}`, parameters?.values, parameters?.types);
  } catch (error) {
    return classify(behindOwnLine(error));
  }
  const cause = new Error('a streaming result failed after its first chunk, and a second run did not fail');
  return new LakeError('internal', 'The query failed after its first rows. Send it again.', { cause });
}

async function drain(result: DuckDBResult, connection: DuckDBConnection): Promise<void> {
  const again = setInterval(() => connection.interrupt(), INTERRUPT_EVERY_MS);
  connection.interrupt();
  try {
    while ((await result.fetchChunk())?.rowCount);
  } catch (error) {
    if (classify(error).code !== 'query_cancelled') throw error;
  } finally {
    clearInterval(again);
  }
}

import {
  ResultReturnType,
  type DuckDBConnection,
  type DuckDBResult,
  type DuckDBType,
  type DuckDBValue,
} from '@duckdb/node-api';
import { LakeError } from '../../lake/errors.ts';
import { behindOwnLine, classify } from './duckdbErrors.ts';

/** Values of a statement's `$name` parameters, and their types where a value alone does not tell. */
export interface SqlParameters {
  values: Record<string, DuckDBValue>;
  types: Record<string, DuckDBType>;
}

/** The rows of a running statement. */
export interface RowStream {
  names: readonly string[];
  types: readonly DuckDBType[];
  /**
   * Rows by chunks of at most 2,048. Ends only after the last row of a whole result.
   * @throws LakeError the statement's own error, whichever row it comes at; the caller's, from `check`
   */
  chunks(): AsyncGenerator<DuckDBValue[][]>;
  /** Ends a statement whose other rows are not needed. Closing it instead would leave its memory to the garbage collector. */
  drain(): Promise<void>;
}

/** A query that has begun just now may not notice one interrupt: repeat it until the query ends. */
export const INTERRUPT_EVERY_MS = 25;

/**
 * Starts a statement and streams its rows. No other file may read a streaming result of DuckDB.
 *
 * A stream's `fetchChunk()` gives an empty chunk when the result is whole, when it failed and when it was interrupted. Only the
 * result's return type tells the failure: DuckDB answers INVALID for a result that holds an error. The client has no call
 * for the error's text, so a second run of the statement finds it.
 * @param check throws where the caller has stopped the statement
 * @throws Error of DuckDB, where the statement fails before its first chunk
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
 * Runs a failed statement again to learn its error. EXPLAIN ANALYZE runs the same plan and keeps no rows, so memory stays as
 * it was. A statement that does not fail again, for instance of random numbers, has no error to tell.
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

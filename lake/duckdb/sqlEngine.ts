/** A row of JSON values. Whole numbers beyond 2^53 and decimals are text. */
export type SqlRow = Record<string, unknown>;

/** One connection with its own temporary tables; statements run in order. */
export interface SqlSession {
  run(sql: string): Promise<SqlRow[]>;
  close(): Promise<void>;
}

/** DuckDB in this process (duckdb.ts) or in a child (engine.ts). */
export interface SqlEngine {
  session(): SqlSession;
}

/** A row with values as JSON can hold them: whole numbers beyond 2^53 and decimals as text. */
export type SqlRow = Record<string, unknown>;

/** One connection; temporary tables are its own. Statements run one after another, in the order they are given. */
export interface SqlSession {
  run(sql: string): Promise<SqlRow[]>;
  close(): Promise<void>;
}

/** Something that runs DuckDB's SQL: this process (duckdb.ts), or one of its own (engine.ts). */
export interface SqlEngine {
  session(): SqlSession;
}

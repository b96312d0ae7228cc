import { DuckDBInstance } from '@duckdb/node-api';
import { keepLeadingBom } from './leadingBom.ts';
import type { SqlEngine, SqlSession } from './sqlEngine.ts';

export interface DuckdbOptions {
  /** DuckDB's size, such as `1GiB`. */
  memory: string;
  threads: number;
  /** Folder for what does not fit the memory; made when needed. Empty: a statement that needs more memory fails. */
  spillDir: string;
}

/** DuckDB within this process, started by its first statement. */
export function openDuckdb(options: DuckdbOptions): SqlEngine & { close(): Promise<void> } {
  let opened: Promise<DuckDBInstance> | undefined;
  const open = (): Promise<DuckDBInstance> => {
    keepLeadingBom();
    return (opened ??= DuckDBInstance.create(':memory:', {
      threads: String(options.threads),
      memory_limit: options.memory,
      temp_directory: options.spillDir,
      autoinstall_known_extensions: 'false',
      autoload_known_extensions: 'false',
    }));
  };
  return {
    session: () => openSession(open),
    close: async () => {
      const instance = await opened?.catch(() => undefined);
      instance?.closeSync();
    },
  };
}

function openSession(open: () => Promise<DuckDBInstance>): SqlSession {
  const connect = async () => {
    const connection = await (await open()).connect();
    await connection.run("SET TimeZone = 'UTC'");
    return connection;
  };
  let connection: ReturnType<typeof connect> | undefined;
  return {
    run: async (sql) => {
      const result = await (await (connection ??= connect())).run(sql);
      return result.getRowObjectsJson();
    },
    close: async () => {
      const open = await connection?.catch(() => undefined);
      open?.closeSync();
    },
  };
}

import type { DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import { connectUtc, openDuckdbInstance, type InstanceOptions } from './instance.ts';
import type { SqlEngine, SqlSession } from './sqlEngine.ts';

/** Opens DuckDB in this process; the first statement starts it. */
export function openDuckdb(
  options: Required<Omit<InstanceOptions, 'settings'>>,
): SqlEngine & { close(): Promise<void> } {
  let opened: Promise<DuckDBInstance> | undefined;
  const open = (): Promise<DuckDBInstance> => (opened ??= openDuckdbInstance(options));
  return {
    session: () => openSession(open),
    close: async () => {
      const instance = await opened?.catch(() => undefined);
      instance?.closeSync();
    },
  };
}

function openSession(open: () => Promise<DuckDBInstance>): SqlSession {
  let connection: Promise<DuckDBConnection> | undefined;
  return {
    run: async (sql) => {
      const result = await (await (connection ??= open().then(connectUtc))).run(sql);
      return result.getRowObjectsJson();
    },
    close: async () => {
      const open = await connection?.catch(() => undefined);
      open?.closeSync();
    },
  };
}

import type { DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import { connectUtc, openDuckdbInstance, type InstanceOptions } from './instance.ts';
import { isFatal } from './fatal.ts';
import type { SqlEngine, SqlSession } from './sqlEngine.ts';

/**
 * Opens DuckDB in this process; the first statement starts it.
 *
 * After an error that leaves DuckDB unusable, later sessions get a new one.
 */
export function openDuckdb(
  options: Required<Omit<InstanceOptions, 'settings'>>,
): SqlEngine & { close(): Promise<void> } {
  let opened: Promise<DuckDBInstance> | undefined;
  const open = (): Promise<DuckDBInstance> => (opened ??= openDuckdbInstance(options));
  const drop = (): void => (opened = undefined);
  return {
    session: () => openSession(open, drop),
    close: async () => {
      const instance = await opened?.catch(() => undefined);
      instance?.closeSync();
    },
  };
}

function openSession(open: () => Promise<DuckDBInstance>, drop: () => void): SqlSession {
  let connection: Promise<DuckDBConnection> | undefined;
  return {
    run: async (sql) => {
      try {
        const result = await (await (connection ??= open().then(connectUtc))).run(sql);
        return await result.getRowObjectsJson();
      } catch (error) {
        if (error instanceof Error && isFatal(error.message)) drop();
        throw error;
      }
    },
    close: async () => {
      const open = await connection?.catch(() => undefined);
      open?.closeSync();
    },
  };
}

import { DuckDBInstance, type DuckDBConnection } from '@duckdb/node-api';
import { keepLeadingBom } from './leadingBom.ts';

/** Limits of a database in memory. Absent ones are DuckDB's defaults. */
export interface InstanceOptions {
  /** DuckDB's size, such as `1GiB`. */
  memory?: string;
  threads?: number;
  /** Folder for data beyond the memory, made when needed. Empty: a statement that needs more memory fails. */
  spillDir?: string;
  /** More of DuckDB's settings, by name. */
  settings?: Record<string, string>;
}

/** Opens an empty database in memory, with built-in extensions only. */
export function openDuckdbInstance({ memory, threads, spillDir, settings }: InstanceOptions): Promise<DuckDBInstance> {
  keepLeadingBom();
  return DuckDBInstance.create(':memory:', {
    ...(threads === undefined ? {} : { threads: String(threads) }),
    ...(memory === undefined ? {} : { memory_limit: memory }),
    ...(spillDir === undefined ? {} : { temp_directory: spillDir }),
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
    ...settings,
  });
}

/** Opens a connection whose time zone is UTC on every machine. */
export async function connectUtc(instance: DuckDBInstance): Promise<DuckDBConnection> {
  const connection = await instance.connect();
  try {
    await connection.run("SET TimeZone = 'UTC'");
  } catch (error) {
    connection.closeSync();
    throw error;
  }
  return connection;
}

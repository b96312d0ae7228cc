import { openDuckdbInstance } from '../../lake/duckdb/instance.ts';
import { literal } from '../../lake/duckdb/sqlText.ts';

/** Storage version for DuckDB 1.0 and newer. The views need 1.3 or newer. */
const STORAGE_VERSION = 'v1.0.0';

/**
 * Creates the relations in a DuckDB database file, all or none.
 *
 * Other contents of the file stay unchanged.
 * @throws Error if the file is no database, is in use by another process, or has tables with the names of views
 */
export async function writeDatabase(path: string, statements: readonly string[]): Promise<void> {
  const instance = await openDuckdbInstance({});
  const connection = await instance.connect();
  try {
    await connection.run(`ATTACH ${literal(path)} AS attached (STORAGE_VERSION ${literal(STORAGE_VERSION)})`);
    await connection.run('USE attached');
    await connection.run('BEGIN');
    for (const statement of statements) await connection.run(statement);
    await connection.run('COMMIT');
    await connection.run('CHECKPOINT');
    await connection.run('USE memory');
    await connection.run('DETACH attached');
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

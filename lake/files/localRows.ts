import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { SqlSession } from '../duckdb/sqlEngine.ts';
import { literal } from '../duckdb/sqlText.ts';
import { LakeError } from '../errors.ts';
import { fetchLocal } from '../storage/fetchLocal.ts';
import type { Storage } from '../storage/storage.ts';

/** A data file on this machine. */
export interface LocalFile {
  file: string;
  release: () => Promise<void>;
}

/**
 * Makes an object a local file, by copy for a remote lake.
 * @throws LakeError table_corrupt when it is not in the store
 */
export async function localFile(storage: Storage, path: string, folder: string): Promise<LocalFile> {
  const copy = join(folder, `${randomUUID()}.parquet`);
  const file = await fetchLocal(storage, path, copy);
  if (file === undefined) throw new LakeError('table_corrupt', `${path} is in the table but not in the storage`);
  return { file, release: () => (file === copy ? rm(copy, { force: true }) : Promise.resolve()) };
}

/** Counts a file's rows by UTC date of receipt. Empty without that column. */
export async function receivedDays(session: SqlSession, file: string): Promise<Map<string, number>> {
  const columns = await session.run(`DESCRIBE SELECT * FROM ${rowsOf(file)}`);
  if (!columns.some(({ column_name: name }) => name === 'received_at')) return new Map();
  const days = await session.run(
    `SELECT strftime(received_at, '%Y-%m-%d') AS day, count(*) AS rows FROM ${rowsOf(file)}
     WHERE received_at IS NOT NULL GROUP BY 1 ORDER BY 1`,
  );
  return new Map(days.map(({ day, rows }) => [String(day), Number(rows)]));
}

/** SQL of a file as a relation, without columns from its path. */
export function rowsOf(file: string): string {
  return `read_parquet(${literal(file)}, hive_partitioning = false)`;
}

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { SqlSession } from '../../lake/duckdb/sqlEngine.ts';
import { literal } from '../../lake/duckdb/sqlText.ts';

/** Files below a folder that hold one of the ids, whatever they are: as bytes, and Parquet as values too. */
export async function filesWith(session: SqlSession, folder: string, ids: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = join(entry.parentPath, entry.name);
    const bytes = await readFile(file);
    const isParquet = file.endsWith('.parquet');
    const read = `SELECT count(*) AS n FROM (SELECT to_json(t)::VARCHAR AS j FROM read_parquet(${literal(file)}, hive_partitioning = false) t)`;
    for (const id of ids) {
      const [row] = isParquet ? await session.run(`${read} WHERE contains(j, ${literal(id)})`) : [];
      if (bytes.includes(id) || Number(row?.n ?? 0) > 0) found.push(`${file}: ${id}`);
    }
  }
  return found;
}

import { mkdir } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { literal } from '../../lake/duckdb/sqlText.ts';
import type { Storage } from '../../lake/storage/storage.ts';
import type { LakeIds } from './verify.ts';

/** The lake's data files as plain files in plain folders. */
export interface LakeFiles {
  /** Folder with `events/tenant=…`. */
  folder: string;
  count: number;
  bytes: number;
}

/**
 * Data files of a lake in a folder, or copies from S3.
 *
 * DuckDB's S3 extension is a download that some machines cannot make.
 */
export async function findLakeFiles(lakeUrl: string, storage: Storage, copyTo: string): Promise<LakeFiles> {
  const local = lakeUrl.startsWith('file:');
  const files = { folder: local ? resolve(lakeUrl.slice('file:'.length)) : copyTo, count: 0, bytes: 0 };
  for (const table of ['events', 'quarantine']) {
    for await (const { path, size } of storage.list(`${table}/`)) {
      if (!path.endsWith('.parquet')) continue;
      files.count++;
      files.bytes += size;
      if (local) continue;
      await mkdir(dirname(join(copyTo, path)), { recursive: true });
      await storage.download(path, join(copyTo, path));
    }
  }
  return files;
}

/**
 * Event ids of a tenant by a bare `read_parquet`, without any log.
 * @param since counts only rows received at or after this time
 */
export async function readIds(glob: string, since: Date): Promise<LakeIds> {
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  const files = literal(glob);
  try {
    const found = await connection.runAndReadAll(`select count(*)::integer from glob(${files})`);
    if (found.getRows()[0]?.[0] === 0) return new Map(); // read_parquet fails where there is nothing to read
    const result = await connection.runAndReadAll(
      `select event_id, count(*)::integer from read_parquet(${files}, hive_partitioning = true)
       where received_at >= '${since.toISOString()}'::timestamptz group by 1`,
    );
    return new Map(result.getRows().map(([id, count]) => [String(id), Number(count)]));
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

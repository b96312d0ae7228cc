import { mkdir } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { literal } from '../../lake/duckdb/sqlText.ts';
import type { Storage } from '../../lake/storage/storage.ts';
import type { LakeIds } from './verify.ts';

/** The lake's data files as anybody's reader would find them: plain files in plain folders. */
export interface LakeFiles {
  /** Folder that holds `events/tenant=…`. */
  folder: string;
  count: number;
  bytes: number;
}

/**
 * The data files of a lake in a folder, where they are; those of a lake in S3 after copying them into `copyTo`, because
 * DuckDB's S3 extension is a download that not every machine can make.
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
 * Reads a tenant's event ids with a bare `read_parquet` over the files: no log, no snapshot, nothing of ours.
 * @param since only rows received at or after this time
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

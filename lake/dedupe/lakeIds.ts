import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Table } from '../delta/table.ts';
import { LakeError } from '../errors.ts';
import { fetchLocal } from '../storage/fetchLocal.ts';
import type { Storage } from '../storage/storage.ts';
import type { SqlSession } from '../duckdb/sqlEngine.ts';
import { hexId, literal } from '../duckdb/sqlText.ts';
import type { StoredIds } from './duplicates.ts';
import { idFile, type IdFile } from './plan.ts';

/** A tenant's live data files, with access to their bytes. */
export interface IdFiles {
  list(tenantId: string): Promise<IdFile[]>;
  /** Runs a task on local copies of the files; the copies exist while it runs. */
  withLocal<T>(tenantId: string, files: readonly IdFile[], task: (paths: string[]) => Promise<T>): Promise<T>;
}

/**
 * A tenant's ids in the lake, read from its data files by DuckDB.
 *
 * The session's table `line` holds the judged events, joined by `batch`.
 * @param where SQL condition on the rows of the files that count
 */
export function lakeIds(session: SqlSession, source: IdFiles, where = 'true'): StoredIds {
  const withLocalFiles = <T>(
    tenantId: string,
    files: readonly IdFile[],
    task: (list: string) => Promise<T>,
  ): Promise<T> => source.withLocal(tenantId, files, (paths) => task(`[${paths.map(literal).join(', ')}]`));
  return {
    files: (tenantId) => source.list(tenantId),
    read: (tenantId, files) =>
      withLocalFiles(tenantId, files, async (list) => {
        const [row] = await session.run(
          `SELECT string_agg(${hexId('event_id')}, '') AS hex
           FROM read_parquet(${list}) WHERE (${where}) AND event_id IS NOT NULL`,
        );
        return typeof row?.hex === 'string' ? row.hex : '';
      }),
    find: (tenantId, files) =>
      withLocalFiles(tenantId, files, async (list) => {
        const [row] = await session.run(
          `SELECT string_agg(hex, '') AS hex FROM (
             SELECT DISTINCT ${hexId('event_id')} AS hex FROM read_parquet(${list}) WHERE ${where}
           ) WHERE hex IN (
             SELECT ${hexId('line."eventId"')} FROM line JOIN batch ON line.batch_number = batch.batch_number WHERE batch.tenant_id = ${literal(tenantId)}
           )`,
        );
        return typeof row?.hex === 'string' ? row.hex : '';
      }),
  };
}

/**
 * The newest version's files, copied if they have no local path.
 * @param dir folder for the copies, which this function creates and empties
 */
export function newestIdFiles(storage: Storage, table: (tenantId: string) => Table, dir: string): IdFiles {
  return {
    list: async (tenantId) => [...(await table(tenantId).snapshot()).files.values()].map(idFile),
    withLocal: async (tenantId, files, task) => {
      const { root } = table(tenantId).spec;
      try {
        await mkdir(dir, { recursive: true });
        const paths = files.map(async (file, index) => {
          const path = `${root}/${file.path}`;
          const local = await fetchLocal(storage, path, join(dir, `${index}.parquet`));
          if (local === undefined)
            throw new LakeError('table_corrupt', `${path} is in the table and not in the storage`);
          return local;
        });
        return await task(await Promise.all(paths));
      } finally {
        await rm(dir, { recursive: true, force: true });
      }
    },
  };
}

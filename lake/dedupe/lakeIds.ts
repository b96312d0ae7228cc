import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Table } from '../delta/table.ts';
import type { Storage } from '../storage/storage.ts';
import { quote, type Session } from '../flush/engine.ts';
import { hexId } from '../flush/sql.ts';
import type { StoredIds } from './duplicates.ts';
import { idFile, type IdFile } from './plan.ts';

export interface LakeIdsOptions {
  storage: Storage;
  /** A session whose table `line` holds the events being judged, joined by `batch`. */
  session: Session;
  table: (tenantId: string) => Table;
  /** Folder for copies of files that have no local path; made and emptied here. */
  dir: string;
}

/** A tenant's ids as the lake holds them: one column of its data files, read by DuckDB. */
export function lakeIds({ storage, session, table, dir }: LakeIdsOptions): StoredIds {
  const withLocalFiles = async <T>(
    tenantId: string,
    files: readonly IdFile[],
    task: (list: string) => Promise<T>,
  ): Promise<T> => {
    const { root } = table(tenantId).spec;
    try {
      await mkdir(dir, { recursive: true });
      const local = await Promise.all(
        files.map((file, index) => localFile(storage, `${root}/${file.path}`, join(dir, `${index}.parquet`))),
      );
      return await task(`[${local.map(quote).join(', ')}]`);
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  };
  const since = (ms: number): string => `received_at >= make_timestamptz(${Math.floor(ms) * 1000})`;
  return {
    files: async (tenantId) => [...(await table(tenantId).snapshot()).files.values()].map(idFile),
    read: (tenantId, files, sinceMs) =>
      withLocalFiles(tenantId, files, async (list) => {
        const rows = await session.run(
          `SELECT epoch_ms(received_at) // 3600000 AS hour, string_agg(${hexId('event_id')}, '') AS hex
           FROM read_parquet(${list}) WHERE ${since(sinceMs)} AND event_id IS NOT NULL GROUP BY 1`,
        );
        return rows.map(({ hour, hex }) => ({ hour: Number(hour), hex: String(hex) }));
      }),
    find: (tenantId, files, sinceMs) =>
      withLocalFiles(tenantId, files, async (list) => {
        const [row] = await session.run(
          `SELECT string_agg(hex, '') AS hex FROM (
             SELECT DISTINCT ${hexId('event_id')} AS hex FROM read_parquet(${list}) WHERE ${since(sinceMs)}
           ) WHERE hex IN (
             SELECT ${hexId('line."eventId"')} FROM line JOIN batch ON line.b = batch.b WHERE batch.tenant_id = ${quote(tenantId)}
           )`,
        );
        return typeof row?.hex === 'string' ? row.hex : '';
      }),
  };
}

async function localFile(storage: Storage, path: string, copy: string): Promise<string> {
  const local = storage.localPath(path);
  if (local !== undefined) return local;
  if (!(await storage.download(path, copy))) throw new Error(`${path} is in the table and not in the storage`);
  return copy;
}

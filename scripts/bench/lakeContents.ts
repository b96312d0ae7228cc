import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { openDuckdb } from '../../lake/duckdb.ts';
import { literal } from '../../lake/sqlEngine.ts';

/** What the events tables of a lake in a folder hold. */
export interface LakeContents {
  rows: number;
  /** Distinct event ids; 0 where they are not counted. */
  ids: number;
  /** Of the data files. */
  bytes: number;
  files: number;
}

/** Counts what a bare glob over all tenants' data files finds. */
export async function lakeContents(lake: string, count = { ids: true }): Promise<LakeContents> {
  const folder = join(lake, 'events');
  const names = (await readdir(folder, { recursive: true })).filter((name) => /date=[^/]+\/[^/]+\.parquet$/.test(name));
  const sizes = await Promise.all(names.map(async (name) => (await stat(join(folder, name))).size));
  const engine = openDuckdb({ memory: '4GiB', threads: 2, spillDir: join(lake, '.count') });
  try {
    const glob = literal(join(folder, 'tenant=*', 'segment=*', 'date=*', '*.parquet'));
    const [row] = await engine
      .session()
      .run(
        `SELECT count(*) AS rows, ${count.ids ? 'count(DISTINCT event_id)' : 'NULL'} AS ids FROM read_parquet(${glob})`,
      );
    return {
      rows: Number(row?.rows),
      ids: Number(row?.ids),
      bytes: sizes.reduce((sum, size) => sum + size, 0),
      files: names.length,
    };
  } finally {
    await engine.close();
  }
}

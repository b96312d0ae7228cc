import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { duckdbType } from '../../schemas/columnType.ts';
import { fieldIdsOption } from '../../lake/delta/fieldIds.ts';
import { copyStats, fileStats } from '../../lake/delta/stats.ts';
import type { NewFile } from '../../lake/delta/commits.ts';
import { parquetCopyOptions } from '../../lake/duckdb/parquet.ts';
import type { SqlEngine } from '../../lake/duckdb/sqlEngine.ts';
import { identifier, literal } from '../../lake/duckdb/sqlText.ts';
import { newMartFilePath } from '../../lake/layout/tables.ts';
import { storedColumns, type Mart } from './mart.ts';

/** A new local file of a mart. */
export interface WrittenMartFile {
  file: NewFile;
  localFile: string;
}

/**
 * Writes the rows of a mart's statement into one Parquet file.
 * @param from statements that create the relations it reads
 * @returns undefined if there are no rows
 */
export async function writeMart(
  mart: Mart,
  job: {
    engine: SqlEngine;
    from: readonly string[];
    sql: string;
    partition: { date?: string };
    workDir: string;
  },
): Promise<WrittenMartFile | undefined> {
  const columns = storedColumns(mart);
  const path = newMartFilePath(mart.name, job.partition);
  const localFile = join(job.workDir, basename(path));
  const chosen = columns.map(
    ({ name: of, type }) => `CAST(${identifier(of)} AS ${duckdbType(type)}) AS ${identifier(of)}`,
  );
  const schema = identifier(`mart_${randomUUID()}`);
  const session = job.engine.session();
  try {
    await session.run(`CREATE SCHEMA ${schema}`);
    await session.run(`USE ${schema}`);
    for (const statement of job.from) await session.run(statement);
    const rows = `SELECT ${chosen.join(', ')} FROM (${job.sql}) ORDER BY ALL`;
    const [copied] = await session.run(
      `COPY (${rows}) TO ${literal(localFile)} (${parquetCopyOptions()}${fieldIdsOption(columns)}, RETURN_STATS)`,
    );
    await session.run('USE main');
    await session.run(`DROP SCHEMA ${schema} CASCADE`);
    const stats = copyStats(copied!);
    if (stats.count === 0) {
      await rm(localFile, { force: true });
      return undefined;
    }
    return {
      file: {
        path,
        size: stats.file_size_bytes,
        rows: stats.count,
        partitionValues: job.partition,
        stats: fileStats(stats, columns),
      },
      localFile,
    };
  } finally {
    await session.close();
  }
}

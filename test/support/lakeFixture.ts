import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { duckdbType, type StructField } from '../../schemas/columnType.ts';
import { createRegistry, type Registry } from '../../schemas/registry.ts';
import { copyStats, fileStats } from '../../lake/delta/stats.ts';
import type { NewFile } from '../../lake/delta/commits.ts';
import { deltaTable, type TableSpec } from '../../lake/delta/table.ts';
import { parquetCopyOptions, type ParquetOptions } from '../../lake/duckdb/parquet.ts';
import type { Storage } from '../../lake/storage/storage.ts';
import { newFilePath, tableSpec, type TableName } from '../../lake/layout/tables.ts';

export const REGISTRY: Registry = createRegistry();

/** Columns of the events table by name; those absent are null. Times and decimals as text. */
export type Row = Record<string, unknown>;

/** One data file as DuckDB wrote it. */
export interface WrittenFile extends NewFile {
  localPath: string;
}

/** Writes rows into one Parquet file with the lake's own COPY options. */
export async function writeParquet(
  dir: string,
  rows: readonly Row[],
  options: {
    columns: readonly StructField[];
    partition: { segment: string; date: string };
    parquet?: ParquetOptions;
    sequence?: number;
  },
): Promise<WrittenFile> {
  await mkdir(dir, { recursive: true });
  const sequence = options.sequence ?? 1;
  const path = newFilePath(options.partition, { stream: 'EVENTS_0', firstSequence: sequence, lastSequence: sequence });
  const localPath = join(dir, path.replaceAll('/', '_'));
  const input = `${localPath}.ndjson`;
  await writeFile(input, rows.map((row) => JSON.stringify(row)).join('\n'));
  const instance = await DuckDBInstance.create(':memory:', { threads: '1' });
  const connection = await instance.connect();
  try {
    await connection.run("SET TimeZone = 'UTC'");
    const types = options.columns.map(({ name, type }) => `'${name}': '${duckdbType(type)}'`).join(', ');
    const copy = `COPY (SELECT * FROM read_json('${input}', format = 'newline_delimited', columns = {${types}})) TO '${localPath}' (${parquetCopyOptions(options.parquet)}, RETURN_STATS)`;
    const stats = copyStats((await connection.runAndReadAll(copy)).getRowObjectsJson()[0]!);
    return {
      path,
      localPath,
      size: stats.file_size_bytes,
      rows: stats.count,
      partitionValues: options.partition,
      stats: fileStats(stats, options.columns),
    };
  } finally {
    connection.closeSync();
    instance.closeSync();
    await rm(input);
  }
}

/** Commits rows to a tenant's table, as the processor would. */
export async function commitRows(
  storage: Storage,
  tenantId: string,
  rows: readonly Row[],
  options: { table?: TableName; segment?: string; date?: string; spec?: TableSpec; appId?: string } = {},
): Promise<NewFile> {
  const dir = await mkdtemp(join(tmpdir(), 'spor-test-fixture-'));
  try {
    const spec = options.spec ?? tableSpec(options.table ?? 'events', tenantId, REGISTRY);
    const partition = { segment: options.segment ?? 'web', date: options.date ?? '2026-11-23' };
    const facts = { tenant_id: tenantId, segment_id: partition.segment };
    const file = await writeParquet(
      dir,
      rows.map((row) => ({ ...facts, ...row })),
      { columns: spec.columns, partition },
    );
    const { localPath, ...add } = file;
    await storage.upload(`${spec.root}/${file.path}`, localPath);
    const table = deltaTable(storage, spec);
    const appId = options.appId ?? 'EVENTS_0@test';
    const before = (await table.snapshot()).txns.get(appId);
    await table.append({ files: [add], txn: { appId, version: (before ?? 0) + 1, expected: before }, info: {} });
    return add;
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

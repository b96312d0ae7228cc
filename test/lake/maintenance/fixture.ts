import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLog } from '../../../runtime/log.ts';
import { createRegistry } from '../../../schemas/registry.ts';
import { fileStats, copyStats } from '../../../lake/delta/stats.ts';
import type { NewFile } from '../../../lake/delta/commits.ts';
import { deltaTable, type Table } from '../../../lake/delta/table.ts';
import { duckdbType } from '../../../schemas/columnType.ts';
import { openDuckdb } from '../../../lake/duckdb/duckdb.ts';
import type { SqlEngine, SqlRow } from '../../../lake/duckdb/sqlEngine.ts';
import { identifier, literal } from '../../../lake/duckdb/sqlText.ts';
import { SORT_ORDER } from '../../../lake/maintenance/sort.ts';
import { parquetCopyOptions } from '../../../lake/duckdb/parquet.ts';
import { openLocalStorage } from '../../../lake/storage/local.ts';
import type { Storage } from '../../../lake/storage/storage.ts';
import { newFilePath, tableSpec, type TableName } from '../../../lake/layout/tables.ts';

export const REGISTRY = createRegistry();
export const SILENT = createLog('test', 'silent');
export const APP = 'EVENTS_0@2026-11-23T10:00:00Z';

/** What a file of a test's table holds. */
export interface Rows {
  rows: number;
  /** Of the first row; each next one is `stepMs` later. */
  from: string;
  stepMs?: number;
  segment?: string;
  /** Distinguishes ids of one file from those of another. */
  seed: number;
}

/** A lake in a folder of its own, with a DuckDB to write and read its files. */
export interface TestLake {
  dir: string;
  workDir: string;
  storage: Storage;
  engine: SqlEngine;
  table: (name?: TableName, tenantId?: string) => Table;
  /** Writes files as the processor does and adds them in one commit. */
  add(table: Table, files: readonly Rows[], name?: TableName): Promise<NewFile[]>;
  /** Local paths of a table's live files, read anew. */
  live(table: Table): Promise<string[]>;
  sql(statement: string): Promise<SqlRow[]>;
  close(): Promise<void>;
}

/** @param open Another storage than a folder; the fixture closes it. */
export async function createLake(open?: () => Promise<Storage>): Promise<TestLake> {
  const dir = await mkdtemp(join(tmpdir(), 'spor-test-maintenance-'));
  const storage = await (open?.() ?? openLocalStorage(join(dir, 'lake')));
  const workDir = join(dir, 'work');
  await mkdir(workDir);
  const engine = openDuckdb({ memory: '1GiB', threads: 1, spillDir: join(dir, 'spill') });
  const session = engine.session();
  let sequence = 0;
  let files = 0;
  const write = async (name: TableName, tenantId: string, rows: Rows): Promise<NewFile> => {
    const { columns } = tableSpec(name, tenantId, REGISTRY);
    const { segment = 'web', from } = rows;
    const target = join(dir, `file-${files++}.parquet`);
    const order = SORT_ORDER[name];
    const sorted = [order.lead, order.time].filter((column) => column !== undefined).join(', ');
    const select = `SELECT ${columns.map((column) => `${valueOf(column.name, duckdbType(column.type), { tenantId, segment, ...rows })} AS ${identifier(column.name)}`).join(', ')}
      FROM range(${rows.rows}) AS t(i) ORDER BY ${sorted}`;
    const [copied] = await session.run(
      `COPY (${select}) TO ${literal(target)} (${parquetCopyOptions()}, RETURN_STATS)`,
    );
    const copy = copyStats(copied!);
    const partition = { segment, date: from.slice(0, 10) };
    sequence += 10;
    const path = newFilePath(partition, { stream: 'EVENTS_0', firstSequence: sequence, lastSequence: sequence + 9 });
    await storage.upload(`${tableSpec(name, tenantId, REGISTRY).root}/${path}`, target);
    await rm(target);
    return {
      path,
      size: copy.file_size_bytes,
      rows: copy.count,
      partitionValues: partition,
      stats: fileStats(copy, columns),
    };
  };
  return {
    dir,
    workDir,
    storage,
    engine,
    table: (name = 'events', tenantId = 'shop') => deltaTable(storage, tableSpec(name, tenantId, REGISTRY)),
    add: async (table, contents, name = 'events') => {
      const tenantId = table.spec.root.split('=')[1]!;
      const added: NewFile[] = [];
      for (const rows of contents) added.push(await write(name, tenantId, rows));
      const expected = (await table.snapshot()).txns.get(APP);
      await table.append({ files: added, txn: { appId: APP, version: (expected ?? 0) + 10, expected }, info: {} });
      return added;
    },
    live: async (table) => {
      const { files: live } = await deltaTable(storage, table.spec).snapshot();
      return Promise.all(
        [...live.keys()].map(async (path) => {
          const local = storage.localPath(`${table.spec.root}/${path}`);
          if (local !== undefined) return local;
          const copy = join(dir, `copy-${files++}.parquet`);
          if (!(await storage.download(`${table.spec.root}/${path}`, copy))) throw new Error(`${path} is not there`);
          return copy;
        }),
      );
    },
    sql: (statement) => session.run(statement),
    close: async () => {
      await session.close();
      await (engine as ReturnType<typeof openDuckdb>).close();
      storage.close();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

/** The rows of files as one comparable list, in the order of their ids. */
export async function rowsOf(lake: TestLake, files: readonly string[]): Promise<SqlRow[]> {
  if (files.length === 0) return [];
  return lake.sql(
    `SELECT * FROM read_parquet([${files.map(literal).join(', ')}], hive_partitioning = false) ORDER BY event_id, receipt_index`,
  );
}

const TYPES = ['Search', 'ProductClicked', 'ProductAddedToCart', 'OrderCreated'];

function valueOf(column: string, type: string, rows: Rows & { tenantId: string; segment: string }): string {
  const { seed, from, stepMs = 1_000, tenantId, segment } = rows;
  const time = `(TIMESTAMPTZ ${literal(from)} + to_milliseconds(i * ${stepMs}))`;
  switch (column) {
    case 'tenant_id':
      return literal(tenantId);
    case 'segment_id':
      return literal(segment);
    case 'type':
      return `[${TYPES.map(literal).join(', ')}][(i + ${seed}) % 4 + 1]`;
    case 'event_time':
    case 'received_at':
      return time;
    case 'event_id':
      return `format('{:08x}-{:04x}-7000-8000-{:012x}', ${seed}, i % 65536, i)`;
    case 'receipt_id':
      return `format('r-{}-{}', ${seed}, i // 10)`;
    case 'receipt_index':
      return '(i % 10)::INTEGER';
    case 'total':
      return `CASE WHEN (i + ${seed}) % 4 = 3 THEN (i * 1.25)::DECIMAL(18,4) END`;
    case 'phrase':
      return `CASE WHEN (i + ${seed}) % 4 = 0 THEN 'phrase ' || (i % 97) || ' æøå' END`;
    case 'result_ids':
      return `CASE WHEN (i + ${seed}) % 4 = 0 THEN ['SKU-' || i, 'SKU-' || (i + 1)] END`;
    case 'raw':
      return `'{"broken": ' || i`;
    default:
      return `NULL::${type}`;
  }
}

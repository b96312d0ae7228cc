import { mkdir, mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DuckDBConnection } from '@duckdb/node-api';
import { deltaTable } from '../../../lake/delta/table.ts';
import { literal } from '../../../lake/duckdb/sqlText.ts';
import { parquetCopyOptions } from '../../../lake/duckdb/parquet.ts';
import { lakeFolderFiles } from '../../../lake/files/localFiles.ts';
import { setSharedIds } from '../../../lake/layout/sharedIds.ts';
import { createTableCache } from '../../../lake/layout/tableCache.ts';
import { newFilePath, tableSpec } from '../../../lake/layout/tables.ts';
import { openLocalStorage } from '../../../lake/storage/local.ts';
import { openQueries, type QueryAnswer } from '../../../query/engine/query.ts';
import { reportQuery } from '../../../query/engine/reportQuery.ts';
import type { ReportRequest } from '../../../query/insight/reportRun.ts';
import { inProcess, type Executor } from '../../../query/sandbox/executor.ts';
import { REGISTRY } from '../../support/lakeFixture.ts';
import type { Row } from './rows.ts';

const TENANT = 'demo-shop';

/** A lake, whose reports are answered as the query server does. */
export interface ReportLake {
  report(request: ReportRequest): Promise<Row[]>;
  /** The whole answer; without stages where `staged` is false. */
  answer(request: ReportRequest, options?: { staged?: boolean }): Promise<QueryAnswer>;
  /** Commits rows of `events_all` that fit a condition, a file per segment and day. */
  commit(where: string): Promise<void>;
  close(): Promise<void>;
}

/** Opens a lake in a temporary folder, with the rows of a connection's `events_all` that fit a condition. */
export async function openReportLake(
  connection: DuckDBConnection,
  {
    sharedIds = false,
    where = 'true',
    executor = inProcess(),
  }: { sharedIds?: boolean; where?: string; executor?: Executor } = {},
): Promise<ReportLake> {
  const dir = await mkdtemp(join(tmpdir(), 'spor-test-reports-'));
  const storage = await openLocalStorage(join(dir, 'lake'));
  const table = deltaTable(storage, tableSpec('events', TENANT, REGISTRY));
  await mkdir(join(dir, 'made'));
  let commits = 0;
  const commit: ReportLake['commit'] = async (where) => {
    commits++;
    const days = await connection.runAndReadAll(
      `SELECT DISTINCT segment, date::VARCHAR FROM events_all WHERE ${where} ORDER BY ALL`,
    );
    const files = [];
    for (const [segment, date] of days.getRows() as [string, string][]) {
      const partitionValues = { segment, date };
      const path = newFilePath(partitionValues, {
        stream: 'EVENTS_0',
        firstSequence: commits,
        lastSequence: commits,
      });
      const made = join(dir, 'made', `${segment}-${date}.parquet`);
      const rows = `SELECT * EXCLUDE (segment, date) FROM events_all
        WHERE (${where}) AND segment = ${literal(segment)} AND date = DATE ${literal(date)} ORDER BY type, event_time`;
      const copied = await connection.runAndReadAll(`COPY (${rows}) TO ${literal(made)} (${parquetCopyOptions()})`);
      const numRecords = Number(copied.getRows()[0]![0]);
      const stats = { numRecords, minValues: {}, maxValues: {}, nullCount: {} };
      files.push({ path, size: (await stat(made)).size, rows: numRecords, partitionValues, stats });
      await storage.upload(`${table.spec.root}/${path}`, made);
    }
    const txn = { appId: 'EVENTS_0@test', version: commits, expected: commits === 1 ? undefined : commits - 1 };
    await table.append({ files, txn, info: {} });
  };
  await commit(where);
  if (sharedIds) await setSharedIds(table, true);
  const queries = await openQueries({
    storage,
    tables: createTableCache(storage, REGISTRY),
    registry: REGISTRY,
    localFiles: lakeFolderFiles(storage),
    executor,
    limits: { memoryMb: 512, threads: 1, timeoutMs: 60_000, maxRows: 1_000_000, maxBytes: 100_000_000 },
  });
  const answer: ReportLake['answer'] = (request, { staged = true } = {}) => {
    const query = reportQuery(request, { tenantId: TENANT, segmentIds: [] }, REGISTRY);
    if (staged) return queries.run(query);
    // Another text is another question, so that no recent answer is given.
    return queries.run({ ...query, sql: `${query.sql}\n`, report: { ...query.report!, staged: undefined } });
  };
  return {
    answer,
    report: async (request) => {
      const { columns, rows } = await answer(request);
      return rows.map((values) => Object.fromEntries(values.map((value, index) => [columns[index]!.name, value])));
    },
    commit,
    close: async () => {
      await queries.close();
      storage.close();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

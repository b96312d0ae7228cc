import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Registry } from '../../schemas/registry.ts';
import type { Table } from '../../lake/delta/table.ts';
import type { Storage } from '../../lake/storage/storage.ts';
import type { TableCache } from '../../lake/layout/tableCache.ts';
import type { TableName } from '../../lake/layout/tables.ts';
import { zoneOf, zonesOf } from '../../lake/layout/zones.ts';
import type { LiveTail } from '../tail/liveTail.ts';
import { inProcess, type Executor } from '../sandbox/executor.ts';
import type { AnswerColumn, AnswerFormat } from '../formats/formats.ts';
import type { LocalFiles } from '../../lake/files/localFiles.ts';
import type { Scope } from '../../lake/files/prune.ts';
import { resolve, type AsOf, type Liveness } from './resolve.ts';
import type { SandboxLimits } from '../sandbox/sandbox.ts';
import { statementText } from '../sandbox/statementText.ts';
import { createRecentAnswers } from './recentAnswers.ts';
import { createReportAnswers, type RequestedReport, type RunOver } from './reportAnswers.ts';
import { createScratchFiles } from './scratchFiles.ts';
import { chooseSources, openSources } from './sources.ts';
import { createStagedReports } from './stagedReports.ts';
import type { Json } from '../formats/values.ts';
import { catalogueRows, createCatalogues, type HeldCatalogue } from './catalogueFiles.ts';
import { createCatalog } from './views.ts';
import type { AnswerFacts } from '../sandbox/writeAnswer.ts';
import { countBots, leavesOutBots } from './leftOut.ts';
import type { CheckedSql } from '../sandbox/sqlCheck.ts';

export interface QueryRequest extends Scope {
  tenantId: string;
  sql: string;
  /** Parameters of a report; its statement contains its own views (query/insight/reports.ts). */
  report?: RequestedReport;
  asOf?: AsOf;
  signal?: AbortSignal;
}

/** Version and files that an answer read. */
export interface AnswerSnapshot {
  /** Version of the events table, or of the quarantine if read alone. -1: no such table yet. */
  version: number;
  /** Number of committed files that were read. */
  files: number;
  liveness: Liveness;
  /** Time of the snapshot, ISO 8601. */
  at: string;
  /** Sequence of the last uncommitted message read; absent if none. */
  sequence?: number;
}

export interface QueryAnswer {
  columns: AnswerColumn[];
  rows: Json[][];
  rowCount: number;
  /** Whether a limit cut rows off. */
  truncated: boolean;
  /** Number of rows of bots that the relations left out, within the files read or the report's period; absent: none. */
  botsLeftOut?: number;
  snapshot: AnswerSnapshot;
  elapsedMs: number;
}

/** An answer in its own file, which the caller removes with `remove`. */
export interface FileAnswer extends AnswerFacts {
  file: string;
  snapshot: AnswerSnapshot;
  elapsedMs: number;
  remove: () => Promise<void>;
}

export interface Queries {
  /**
   * Answers one SQL statement over the tenant's tables.
   *
   * The answer includes everything committed before the call. With a live tail it includes everything acknowledged.
   * @throws LakeError
   */
  run(request: QueryRequest): Promise<QueryAnswer>;
  /** The same as `run`, with a file as the answer (query/formats/formats.ts). */
  answer(request: QueryRequest & { format: AnswerFormat; maxRows?: number | undefined }): Promise<FileAnswer>;
  /** The time zone of a tenant's segment, or of the tenant if there is none. */
  zone(tenantId: string, segment: string | undefined): Promise<string>;
  close(): Promise<void>;
}

/**
 * Creates queries over the lake, for one tenant each.
 *
 * Any number may run at once; the caller bounds them.
 */
export async function openQueries(options: {
  storage: Storage;
  tables: TableCache;
  registry: Registry;
  localFiles: LocalFiles;
  limits: SandboxLimits;
  /** Absent: queries see committed events only. */
  live?: LiveTail;
  /** Absent: queries run in this process. */
  executor?: Executor;
  /** Folder of this process for unfinished answers; absent: a temporary one. */
  dir?: string;
}): Promise<Queries> {
  const { storage, tables, registry, localFiles, limits, live, executor = inProcess() } = options;
  const dir = options.dir ?? (await mkdtemp(join(tmpdir(), 'spor-answers-')));
  await mkdir(dir, { recursive: true });
  const catalog = createCatalog(registry);
  const openCatalogue = createCatalogues(storage, localFiles);
  const scratch = createScratchFiles(dir);
  const staged = createStagedReports({ scratch, catalog, localFiles });
  const reports = createReportAnswers({ recent: createRecentAnswers(), staged, executor, limits });
  /** Reports by their statement, of which there are few. */
  const checkedReports = new Map<string, CheckedSql>();

  const tablesOf = (tenantId: string): Record<TableName, Table> => ({
    events: tables('events', tenantId),
    quarantine: tables('quarantine', tenantId),
  });

  const answer: Queries['answer'] = async (request) => {
    const startedAt = performance.now();
    const sql = request.report ? request.sql : statementText(request.sql);
    const checked = (request.report && checkedReports.get(sql)) ?? (await executor.check(sql));
    if (request.report) checkedReports.set(sql, checked);
    // Parsing has its own limit, and may first have to start a process.
    const limitedFrom = performance.now();
    const views = request.report ? catalog.requiredTables(checked) : catalog.requiredViews(checked);
    const needed = views.tables;
    const opened = tablesOf(request.tenantId);
    const { tenantId, asOf = {} } = request;
    const resolved = await resolve({ tenantId, asOf }, needed, { tables: opened, live, storage });
    const at = new Date().toISOString();
    const file = join(dir, randomUUID());
    const remove = async (): Promise<void> => {
      for (const path of [file, `${file}.first`]) await rm(path, { force: true });
    };
    const catalogue = views.readsCatalogue ? await openCatalogue(tenantId, request.segmentIds) : undefined;
    try {
      const sources = chooseSources(resolved, needed, request);
      const counted = !checked.catalog && leavesOutBots(sql, views, request);
      const runOver: RunOver = ({ botCount, ...query }) => {
        const remaining = limits.timeoutMs - (performance.now() - limitedFrom);
        return executor.run({
          query: {
            ...withCatalogue(query, catalogue),
            ...(counted ? { botCount } : {}),
            ...(request.signal ? { signal: request.signal } : {}),
          },
          limits: { ...limits, timeoutMs: Math.max(1, Math.round(remaining)), maxRows: maxRowsOf(request) },
          format: request.format,
          file,
        });
      };
      const runOverFiles = async (): Promise<AnswerFacts> => {
        const local = await openSources(sources, { localFiles, version: asOf.version });
        try {
          const query = {
            views: views.statements(local.tables, catalogue?.paths),
            files: [...local.paths, ...(catalogue?.paths ?? [])],
            sql,
            parameters: request.report,
          };
          return await runOver({ ...query, botCount: countBots(request.report?.values) });
        } finally {
          await local.release();
        }
      };
      const facts = request.report
        ? await reports.answer(
            {
              ...request,
              report: request.report,
              maxRows: maxRowsOf(request),
              file,
              sources,
              beside: catalogue?.identity,
            },
            { runOver, runOverFiles },
          )
        : await runOverFiles();
      const main = needed.includes('events') ? 'events' : (needed[0] ?? 'events');
      const { snapshots, tail, liveness } = resolved;
      return {
        ...facts,
        file,
        remove,
        snapshot: {
          version: snapshots[main].version,
          files: sources[main]?.files.length ?? 0,
          liveness,
          at,
          ...(tail && tail.sequence > 0 ? { sequence: tail.sequence } : {}),
        },
        elapsedMs: Math.round(performance.now() - startedAt),
      };
    } catch (error) {
      await remove();
      throw error;
    } finally {
      await catalogue?.release();
      await resolved.tail?.release();
    }
  };
  const maxRowsOf = ({ maxRows = Infinity }: { maxRows?: number | undefined }): number =>
    Math.min(limits.maxRows, maxRows);

  const run = async (request: QueryRequest): Promise<QueryAnswer> => {
    const { file, remove, rowCount, truncated, botsLeftOut, snapshot, elapsedMs } = await answer({
      ...request,
      format: 'json',
    });
    try {
      const { columns, rows } = JSON.parse(`{${await readFile(file, 'utf8')}}`) as Pick<
        QueryAnswer,
        'columns' | 'rows'
      >;
      const bots = botsLeftOut === undefined ? {} : { botsLeftOut };
      return { columns, rows, rowCount, truncated, ...bots, snapshot, elapsedMs };
    } finally {
      await remove();
    }
  };

  const close = async (): Promise<void> => {
    executor.close();
    scratch.close();
    await rm(dir, { recursive: true, force: true });
  };
  const zone: Queries['zone'] = async (tenantId, segment) =>
    zoneOf(zonesOf(await tables('events', tenantId).snapshot()), segment);
  return { run, answer, zone, close };
}

/** A query over stages with the catalogue beside them. Over data files it is among the views. */
function withCatalogue<T extends { isOurs?: boolean; views: readonly string[]; files: readonly string[] }>(
  query: T,
  catalogue: HeldCatalogue | undefined,
): T {
  if (!catalogue || !query.isOurs) return query;
  const view = `CREATE TEMP VIEW catalogue_all AS ${catalogueRows(catalogue.paths)}`;
  return { ...query, views: [...query.views, view], files: [...query.files, ...catalogue.paths] };
}

import type { Registry } from '../../schemas/registry.ts';
import { openTable, type Table } from '../delta/table.ts';
import type { Storage } from '../storage/storage.ts';
import { tableSpec, type TableName } from '../tables.ts';
import type { LiveTail } from '../tail/liveTail.ts';
import type { LocalFiles } from './localFiles.ts';
import type { Scope } from './prune.ts';
import { resolve, type AsOf, type Liveness } from './resolve.ts';
import { openParser, runSandboxed, type Rows, type SandboxLimits, type SqlParameters } from './sandbox.ts';
import { openSources } from './sources.ts';
import { checkSql } from './sqlCheck.ts';
import { openCatalog } from './views.ts';

export interface QueryRequest extends Scope {
  tenantId: string;
  sql: string;
  /** Given with a report's statement, in which its views stand themselves (lake/insight/reports.ts). */
  report?: SqlParameters;
  asOf?: AsOf;
  signal?: AbortSignal;
}

/** What an answer was read from. */
export interface AnswerSnapshot {
  /** The version of the events table that was read (of the quarantine where only that was); -1: it does not exist yet. */
  version: number;
  /** Committed files that were read. */
  files: number;
  liveness: Liveness;
  /** When versions and stream were looked at, ISO 8601. */
  at: string;
  /** Sequence in the shard's stream of the last message of this tenant that was read besides; absent where none was. */
  sequence?: number;
}

export interface QueryAnswer extends Rows {
  rowCount: number;
  snapshot: AnswerSnapshot;
  elapsedMs: number;
}

export interface Queries {
  /**
   * Answers one SQL statement over the tenant's tables as they are when asked: what was committed before the call is seen, and
   * with a live tail what was acknowledged.
   * @throws LakeError
   */
  run(request: QueryRequest): Promise<QueryAnswer>;
  close(): void;
}

/** Tenants whose newest snapshot is kept, to read only what is new in their logs. */
const TENANTS_KEPT = 1_000;

/** SQL over the lake, a tenant at a time. Runs any number at once: whoever calls bounds that. */
export async function createQueries(options: {
  storage: Storage;
  registry: Registry;
  localFiles: LocalFiles;
  limits: SandboxLimits;
  /** Absent: queries see what is committed. */
  live?: LiveTail;
}): Promise<Queries> {
  const { storage, registry, localFiles, limits, live } = options;
  const parser = await openParser();
  const catalog = openCatalog(registry);
  const tables = new Map<string, Record<TableName, Table>>();

  const tablesOf = (tenantId: string): Record<TableName, Table> => {
    const known = tables.get(tenantId) ?? {
      events: openTable(storage, tableSpec('events', tenantId, registry)),
      quarantine: openTable(storage, tableSpec('quarantine', tenantId, registry)),
    };
    tables.delete(tenantId);
    tables.set(tenantId, known);
    if (tables.size > TENANTS_KEPT) tables.delete(tables.keys().next().value!);
    return known;
  };

  const run = async (request: QueryRequest): Promise<QueryAnswer> => {
    const startedAt = performance.now();
    const checked = await checkSql(parser.connection, request.sql);
    const views = request.report ? catalog.neededBare(checked) : catalog.needed(checked);
    const needed = views.tables;
    const opened = tablesOf(request.tenantId);
    const { tenantId, asOf = {} } = request;
    const resolved = await resolve({ tenantId, asOf }, needed, { tables: opened, live, storage });
    const at = new Date().toISOString();
    const scope = { ...request, version: asOf.version };
    const sources = await openSources(resolved, needed, { request: scope, localFiles });
    try {
      const remaining = limits.timeoutMs - (performance.now() - startedAt);
      const rows = await runSandboxed(
        {
          views: views.statements(sources.tables),
          files: sources.paths,
          sql: request.sql,
          parameters: request.report,
          ...(request.signal ? { signal: request.signal } : {}),
        },
        { ...limits, timeoutMs: Math.max(1, Math.round(remaining)) },
      );
      const main = needed.includes('events') ? 'events' : (needed[0] ?? 'events');
      const { snapshots, tail, liveness } = resolved;
      return {
        ...rows,
        rowCount: rows.rows.length,
        snapshot: {
          version: snapshots[main].version,
          files: sources.counts[main],
          liveness,
          at,
          ...(tail && tail.sequence > 0 ? { sequence: tail.sequence } : {}),
        },
        elapsedMs: Math.round(performance.now() - startedAt),
      };
    } finally {
      await sources.release();
    }
  };

  return { run, close: () => parser.close() };
}

import type { Registry } from '../../schemas/registry.ts';
import { COLUMNS_TAG } from '../delta/schema.ts';
import { openTable, type Table } from '../delta/table.ts';
import { LakeError } from '../errors.ts';
import type { AddFile } from '../delta/actions.ts';
import { NO_TABLE, type Snapshot } from '../delta/snapshot.ts';
import type { Storage } from '../storage/storage.ts';
import { TABLE_NAMES, tableSpec, type TableName } from '../tables.ts';
import type { LocalFiles } from './localFiles.ts';
import { filesInScope, type Scope } from './prune.ts';
import { openParser, runSandboxed, type Rows, type SandboxLimits, type SqlParameters } from './sandbox.ts';
import { checkSql } from './sqlCheck.ts';
import { openCatalog, type FileGroup } from './views.ts';

export interface QueryRequest extends Scope {
  tenantId: string;
  sql: string;
  /** Given with a report's statement, in which its views stand themselves (lake/insight/reports.ts). */
  report?: SqlParameters;
  signal?: AbortSignal;
}

export interface QueryAnswer extends Rows {
  rowCount: number;
  /** The version of the events table that was read (of the quarantine where only that was), and how many files. */
  snapshot: { version: number; files: number };
  elapsedMs: number;
}

export interface Queries {
  /**
   * Answers one SQL statement over a snapshot of the tenant's tables: what was committed before the call is seen.
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
}): Promise<Queries> {
  const { storage, registry, localFiles, limits } = options;
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
    const snapshots: Record<TableName, Snapshot> = { events: NO_TABLE, quarantine: NO_TABLE };
    for (const table of needed) snapshots[table] = await opened[table].snapshot();
    const files = {
      events: filesInScope(snapshots.events, request),
      quarantine: filesInScope(snapshots.quarantine, request),
    };
    const leases = await leaseAll(localFiles, opened, files);
    try {
      const groups = {
        events: fileGroups(files.events, leases.paths.events),
        quarantine: fileGroups(files.quarantine, leases.paths.quarantine),
      };
      const remaining = limits.timeoutMs - (performance.now() - startedAt);
      const rows = await runSandboxed(
        {
          views: views.statements(groups),
          files: TABLE_NAMES.flatMap((table) => [...leases.paths[table].values()]),
          sql: request.sql,
          parameters: request.report,
          ...(request.signal ? { signal: request.signal } : {}),
        },
        { ...limits, timeoutMs: Math.max(1, Math.round(remaining)) },
      );
      const main = needed.includes('events') ? 'events' : (needed[0] ?? 'events');
      return {
        ...rows,
        rowCount: rows.rows.length,
        snapshot: { version: snapshots[main].version, files: files[main].length },
        elapsedMs: Math.round(performance.now() - startedAt),
      };
    } finally {
      await leases.release();
    }
  };

  return { run, close: () => parser.close() };
}

async function leaseAll(
  localFiles: LocalFiles,
  opened: Record<TableName, Table>,
  files: Record<TableName, readonly AddFile[]>,
): Promise<{ paths: Record<TableName, ReadonlyMap<string, string>>; release(): Promise<void> }> {
  const events = await localFiles.lease(opened.events.spec.root, files.events);
  try {
    const quarantine = await localFiles.lease(opened.quarantine.spec.root, files.quarantine);
    return {
      paths: { events: events.paths, quarantine: quarantine.paths },
      release: async () => {
        await events.release();
        await quarantine.release();
      },
    };
  } catch (error) {
    await events.release();
    throw error;
  }
}

/** Files by the columns they were written with, in the order of the log; those of other writers may each have their own. */
function fileGroups(files: readonly AddFile[], paths: ReadonlyMap<string, string>): FileGroup[] {
  const groups = new Map<string | undefined, string[]>();
  for (const file of files) {
    const path = paths.get(file.path);
    if (path === undefined) throw new LakeError('internal', `${file.path} was not made ready`);
    const columns = file.tags?.[COLUMNS_TAG];
    const group = groups.get(columns);
    if (group) group.push(path);
    else groups.set(columns, [path]);
  }
  return [...groups].map(([columns, group]) => ({ paths: group, mixed: columns === undefined }));
}

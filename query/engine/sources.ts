import type { StructField } from '../../schemas/columnType.ts';
import type { AddFile, MetaData } from '../../lake/delta/actions.ts';
import { COLUMNS_TAG, columnsOf } from '../../lake/delta/schema.ts';
import { LakeError } from '../../lake/errors.ts';
import { sharesIds } from '../../lake/layout/sharedIds.ts';
import { TABLE_NAMES, tableRoot, type TableName } from '../../lake/layout/tables.ts';
import type { HeldTail } from '../tail/liveTail.ts';
import type { FileLease, LocalFiles } from '../../lake/files/localFiles.ts';
import { filesInScope, inScope, type Scope } from '../../lake/files/prune.ts';
import type { Resolved } from './resolve.ts';
import type { FileGroup, TableFiles } from './views.ts';

/** Local files that a query's views read, held until released. */
export interface Sources {
  tables: Record<TableName, TableFiles>;
  /** Absolute paths of all files. */
  paths: string[];
  /** What the rows depend on: files that never change, and the part of the live tail that is read. */
  identity: readonly unknown[];
  /** Number of committed files by table. */
  counts: Record<TableName, number>;
  release(): Promise<void>;
}

/**
 * Fetches the files of the required tables within a scope.
 * @throws LakeError tables_too_large, storage_unavailable, table_corrupt, version_gone
 */
export async function openSources(
  { snapshots, tail }: Resolved,
  needed: readonly TableName[],
  {
    request,
    localFiles,
  }: { request: Scope & { tenantId: string; version?: number | undefined }; localFiles: LocalFiles },
): Promise<Sources> {
  const leases: FileLease[] = [];
  const release = async (): Promise<void> => {
    for (const lease of leases.splice(0)) await lease.release();
    await tail?.release();
  };
  const identity: unknown[] = [];
  const sources: Sources = {
    identity,
    tables: { events: { groups: [] }, quarantine: { groups: [] } },
    paths: [],
    counts: { events: 0, quarantine: 0 },
    release,
  };
  try {
    for (const table of TABLE_NAMES.filter((name) => needed.includes(name))) {
      const files = filesInScope(snapshots[table], request);
      const lease = await localFiles.lease(tableRoot(table, request.tenantId), files).catch((error: unknown) => {
        throw request.version === undefined ? error : asGone(error, request.version);
      });
      leases.push(lease);
      const fresh = tail && { paths: tailPaths(tail, table, request), above: tail.above[table] };
      const columns = storedColumns(snapshots[table].metaData, tableRoot(table, request.tenantId));
      const sharedIds = sharesIds(snapshots[table]);
      sources.tables[table] = { columns, groups: fileGroups(files, lease.paths), sharedIds, tail: fresh };
      sources.paths.push(...lease.paths.values(), ...(fresh?.paths ?? []));
      sources.counts[table] = files.length;
      identity.push(
        tableRoot(table, request.tenantId),
        columns,
        sharedIds,
        files.map(({ path }) => path),
      );
      // Files of a tail may be made anew under their names, with the same rows for the same messages and version.
      if (fresh && fresh.paths.length > 0)
        identity.push(fresh, tail.sequence, snapshots.events.version, snapshots.events.metaData?.id);
    }
    return sources;
  } catch (error) {
    await release();
    throw error;
  }
}

/** Columns in a table's files. The values of partition columns are in paths. */
function storedColumns(metaData: MetaData | undefined, table: string): StructField[] {
  if (!metaData) return [];
  return columnsOf(metaData.schemaString, table).filter(({ name }) => !metaData.partitionColumns.includes(name));
}

/** Maps a missing file to version_gone, because vacuum deleted it. */
function asGone(error: unknown, version: number): unknown {
  if (!(error instanceof LakeError) || error.code !== 'table_corrupt') return error;
  const message = `Version ${version} can no longer be read: vacuum has deleted files of it.`;
  return new LakeError('version_gone', message, { cause: error });
}

/** Paths of the live tail's files with rows within the scope. */
function tailPaths({ files }: HeldTail, table: TableName, scope: Scope): string[] {
  return files
    .filter((file) => file.table === table && inScope({ segment: file.source.segmentId, date: file.date }, scope))
    .map(({ localFile }) => localFile);
}

/**
 * Files grouped by their columns, in the order of the log.
 *
 * Files of other writers may each have their own columns.
 */
export function fileGroups(files: readonly AddFile[], paths: ReadonlyMap<string, string>): FileGroup[] {
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

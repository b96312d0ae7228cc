import type { StructField } from '../../schemas/columnType.ts';
import type { AddFile, MetaData } from '../../lake/delta/actions.ts';
import type { Snapshot } from '../../lake/delta/snapshot.ts';
import { COLUMNS_TAG, columnsOf } from '../../lake/delta/schema.ts';
import { LakeError } from '../../lake/errors.ts';
import { sharesIds } from '../../lake/layout/sharedIds.ts';
import { TABLE_NAMES, tableRoot, type TableName } from '../../lake/layout/tables.ts';
import type { HeldTail } from '../tail/liveTail.ts';
import type { FileLease, LocalFiles } from '../../lake/files/localFiles.ts';
import { filesInScope, inScope, type Scope } from '../../lake/files/prune.ts';
import type { Resolved } from './resolve.ts';
import type { FileGroup, TableFiles } from './views.ts';

type TailFile = HeldTail['files'][number];

/** What a query reads of one table. */
export interface TableSource {
  root: string;
  files: readonly AddFile[];
  /** Columns in the files. */
  columns: StructField[];
  sharedIds: boolean;
  /** The part of the live tail that is read; absent if it has no rows. */
  tail?: TailSource;
}

/** Files of a live tail with rows of a table. */
export interface TailSource {
  files: readonly TailFile[];
  above: number;
  /** Files may be made anew under their names, with the same rows for the same messages and version. */
  identity: readonly unknown[];
}

/** What a query reads; no file is held yet, but those of the live tail. */
export type QuerySources = Partial<Record<TableName, TableSource>>;

/** Local files that a query's views read, held until released. */
export interface LocalSources {
  tables: Record<TableName, TableFiles>;
  /** Absolute paths of all files. */
  paths: string[];
  release(): Promise<void>;
}

/** Chooses the files of the required tables within a scope. */
export function chooseSources(
  { snapshots, tail }: Resolved,
  needed: readonly TableName[],
  scope: Scope & { tenantId: string },
): QuerySources {
  const source = (table: TableName): TableSource => {
    const snapshot = snapshots[table];
    const root = tableRoot(table, scope.tenantId);
    const fresh = tail?.files.filter((file) => file.table === table && isWithin(file, scope)) ?? [];
    return {
      root,
      files: filesInScope(snapshot, scope),
      columns: storedColumns(snapshot.metaData, root),
      sharedIds: sharesIds(snapshot),
      ...(tail && fresh.length > 0 ? { tail: tailSource(fresh, { tail, table, events: snapshots.events }) } : {}),
    };
  };
  return Object.fromEntries(TABLE_NAMES.filter((name) => needed.includes(name)).map((name) => [name, source(name)]));
}

function tailSource(
  files: readonly TailFile[],
  { tail, table, events }: { tail: HeldTail; table: TableName; events: Snapshot },
): TailSource {
  const paths = files.map(({ localFile }) => localFile);
  return {
    files,
    above: tail.above[table],
    identity: [paths, tail.above[table], tail.sequence, events.version, events.metaData?.id],
  };
}

/** What the rows depend on: files that never change, and the part of the live tail that is read. */
export function identityOf(sources: QuerySources): unknown[] {
  return Object.values(sources).map(({ root, files, columns, sharedIds, tail }) => [
    root,
    columns,
    sharedIds,
    files.map(({ path }) => path),
    tail?.identity,
  ]);
}

/**
 * Fetches the files of the sources.
 * @throws LakeError tables_too_large, storage_unavailable, table_corrupt, version_gone
 */
export async function openSources(
  sources: QuerySources,
  { localFiles, version }: { localFiles: LocalFiles; version?: number | undefined },
): Promise<LocalSources> {
  const leases: FileLease[] = [];
  const release = async (): Promise<void> => {
    for (const lease of leases.splice(0)) await lease.release();
  };
  const local: LocalSources = { tables: { events: { groups: [] }, quarantine: { groups: [] } }, paths: [], release };
  try {
    for (const name of TABLE_NAMES) {
      const source = sources[name];
      if (!source) continue;
      const lease = await localFiles.lease(source.root, source.files).catch((error: unknown) => {
        throw version === undefined ? error : asGone(error, version);
      });
      leases.push(lease);
      const { columns, sharedIds, tail } = source;
      const fresh = tail && { paths: tail.files.map(({ localFile }) => localFile), above: tail.above };
      local.tables[name] = { columns, groups: fileGroups(source.files, lease.paths), sharedIds, tail: fresh };
      local.paths.push(...lease.paths.values(), ...(fresh?.paths ?? []));
    }
    return local;
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

/** Whether a file of the live tail is within a scope. */
export function isWithin({ source, date }: TailFile, scope: Scope): boolean {
  return inScope({ segment: source.segmentId, date }, scope);
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

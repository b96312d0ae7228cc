import { readChanges } from './changes.ts';
import type { AddFile } from './actions.ts';
import type { Table } from './table.ts';
import { LakeError } from '../errors.ts';
import type { Storage } from '../storage/storage.ts';

export interface ChangesRequest {
  /** Version that the caller has; undefined: none, so all files are listed. */
  since: number | undefined;
  /** Readable segments; empty: all. */
  segmentIds: readonly string[];
}

export interface ListedFile {
  /** Path below `url`. */
  path: string;
  /** Undefined if the log has no count. */
  bytes: number | undefined;
  rows: number | undefined;
  /** Values of the partition columns, such as segment and date. */
  partition: Record<string, string | null>;
}

/** Added and removed files, in order, from `since` to `version`. */
export interface ListedChanges {
  /** Location of the table. */
  url: string;
  since: number | null;
  /** The next `since`; -1: the table does not exist yet. */
  version: number;
  /** There are more commits: ask again at once. */
  more: boolean;
  commits: { version: number; committedAt: string | null; added: ListedFile[]; removed: ListedFile[] }[];
}

/** Most commits of one answer. */
const COMMITS_AT_ONCE = 1_000;

/**
 * List the files that a table has added and removed since a version.
 * Compactions are omitted, because they change no rows. Added files may be vacuumed after the grace time.
 * @throws LakeError changes_gone, changes_unknown, table_corrupt, storage_unavailable
 */
export async function listChanges(
  storage: Storage,
  table: Table,
  { since, segmentIds }: ChangesRequest,
): Promise<ListedChanges> {
  if (since === undefined) {
    const { url, version, files } = await openListing(storage, table, segmentIds);
    const commits = version < 0 ? [] : [{ version, committedAt: null, added: [...files()], removed: [] }];
    return { url, since: null, version, more: false, commits };
  }
  const { root } = table.spec;
  const { version: newest } = await table.snapshot();
  const url = urlOf(storage, root);
  const visible = visibleTo(segmentIds);
  if (since > newest) {
    throw new LakeError('changes_unknown', `${root} has no version ${since} yet. The newest is ${newest}.`);
  }
  const upTo = Math.min(newest, since + COMMITS_AT_ONCE);
  const commits: ListedChanges['commits'] = [];
  for await (const { version, committedAtMs, added, removed } of readChanges(storage, root, { after: since, upTo })) {
    const change = {
      added: added.filter(visible).map(listed),
      removed: removed.filter((file) => visible({ partitionValues: file.partitionValues ?? {} })).map(listed),
    };
    if (change.added.length + change.removed.length === 0) continue;
    const committedAt = committedAtMs === undefined ? null : new Date(committedAtMs).toISOString();
    commits.push({ version, committedAt, ...change });
  }
  return { url, since, version: upTo, more: upTo < newest, commits };
}

/** All files of a table's newest version. */
export interface Listing {
  url: string;
  version: number;
  /** The files one by one, because a table may have many. */
  files: () => Generator<ListedFile>;
}

/** @throws LakeError table_corrupt, storage_unavailable */
export async function openListing(storage: Storage, table: Table, segmentIds: readonly string[]): Promise<Listing> {
  const { version, files } = await table.snapshot();
  const visible = visibleTo(segmentIds);
  return {
    url: urlOf(storage, table.spec.root),
    version,
    *files() {
      for (const file of files.values()) if (visible(file)) yield listed(file);
    },
  };
}

function urlOf(storage: Storage, root: string): string {
  return `${storage.url.replace(/\/$/, '')}/${root}`;
}

function visibleTo(segmentIds: readonly string[]): (file: Pick<AddFile, 'partitionValues'>) => boolean {
  return ({ partitionValues }) => segmentIds.length === 0 || segmentIds.includes(partitionValues.segment ?? '');
}

function listed(file: {
  path: string;
  size?: number;
  stats?: string;
  partitionValues?: Record<string, string | null>;
}): ListedFile {
  const stats = file.stats === undefined ? undefined : (JSON.parse(file.stats) as { numRecords?: number });
  return { path: file.path, bytes: file.size, rows: stats?.numRecords, partition: file.partitionValues ?? {} };
}

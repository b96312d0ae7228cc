import { access } from 'node:fs/promises';
import { NO_TABLE, type Snapshot } from '../../lake/delta/snapshot.ts';
import type { Table } from '../../lake/delta/table.ts';
import { LakeError } from '../../lake/errors.ts';
import type { Storage } from '../../lake/storage/storage.ts';
import type { TableName } from '../../lake/layout/tables.ts';
import type { HeldTail, LiveTail, Snapshots } from '../tail/liveTail.ts';

/** The state of the tables that a query reads. */
export interface AsOf {
  /**
   * Freshness: `live` or `committed`.
   *
   * `live` includes every acknowledged event, or fails. `committed` reads the newest version only, which stays the same
   * until the next commit. Absent: live if possible, else committed, and the answer says which.
   */
  snapshot?: 'live' | 'committed' | undefined;
  /** An earlier version of the only table that the query reads. */
  version?: number | undefined;
}

/** Freshness of an answer. */
export type Liveness =
  /** Every event acknowledged before the query is included. */
  | 'live'
  /** Like `live`, without the newest events, which exceed the limit. */
  | 'cut'
  /** Only committed events, as requested. */
  | 'committed'
  /** Only committed events, because the stream server did not answer. */
  | 'unavailable';

export interface Resolved {
  snapshots: Snapshots;
  liveness: Liveness;
  tail?: HeldTail;
}

/**
 * Chooses the version of each table, and reads the live tail.
 * @throws LakeError tail_unavailable, version_unknown, version_gone, version_ambiguous
 */
export async function resolve(
  request: { tenantId: string; asOf: AsOf },
  needed: readonly TableName[],
  { tables, live, storage }: { tables: Record<TableName, Table>; live: LiveTail | undefined; storage: Storage },
): Promise<Resolved> {
  const { snapshot, version } = request.asOf;
  if (version !== undefined) {
    return { snapshots: await versionOf(tables, needed, version, storage), liveness: 'committed' };
  }
  const newest = async (names: readonly TableName[]): Promise<Snapshots> => {
    const found: Snapshots = { events: NO_TABLE, quarantine: NO_TABLE };
    // In this order: a quarantine is as far as the events table that was read before it (processor/commit/plan.ts).
    for (const name of names) found[name] = await tables[name].snapshot();
    return found;
  };
  if (snapshot === 'committed' || needed.length === 0)
    return { snapshots: await newest(needed), liveness: 'committed' };
  if (snapshot === 'live' || (live && !live.failing)) {
    try {
      if (!live) throw new LakeError('tail_unavailable', 'This server has no stream server to ask.');
      // The events table decides which events are resends, so every query needs it.
      const view = await live.view(request.tenantId, () => newest([...new Set<TableName>(['events', ...needed])]));
      return { ...view, liveness: view.tail.cut ? 'cut' : 'live' };
    } catch (error) {
      const away = error instanceof LakeError && error.code === 'tail_unavailable';
      if (snapshot === 'live' || !away) throw error;
    }
  }
  return { snapshots: await newest(needed), liveness: live ? 'unavailable' : 'committed' };
}

async function versionOf(
  tables: Record<TableName, Table>,
  needed: readonly TableName[],
  version: number,
  storage: Storage,
): Promise<Snapshots> {
  const [name, other] = needed;
  if (other) {
    const both =
      'The query reads events and quarantine, which have versions of their own: "version" goes with one of them.';
    throw new LakeError('version_ambiguous', both);
  }
  const snapshots: Snapshots = { events: NO_TABLE, quarantine: NO_TABLE };
  if (!name) return snapshots;
  snapshots[name] = await tables[name].at(version);
  await refuseVacuumed(snapshots[name], tables[name], storage);
  return snapshots;
}

/**
 * Rejects a version with deleted files.
 *
 * Files that a later version removed may be gone. A remote store shows that when they are fetched.
 */
async function refuseVacuumed(snapshot: Snapshot, table: Table, storage: Storage): Promise<void> {
  const { files } = await table.snapshot();
  for (const path of snapshot.files.keys()) {
    const local = files.has(path) ? undefined : storage.localPath(`${table.spec.root}/${path}`);
    if (local === undefined) continue;
    await access(local).catch((cause: unknown) => {
      const message = `Version ${snapshot.version} of ${table.spec.root} can no longer be read: vacuum has deleted files of it.`;
      throw new LakeError('version_gone', message, { cause });
    });
  }
}

import type { Snapshot } from '../../lake/delta/snapshot.ts';
import type { TableCache } from '../../lake/layout/tableCache.ts';
import type { Storage } from '../../lake/storage/storage.ts';
import { TABLE_NAMES, type TableName } from '../../lake/layout/tables.ts';
import type { FilesByTable, Intent } from './intents.ts';
import { isOfOneTable } from './parked.ts';

export interface RecoverOptions {
  storage: Storage;
  tables: TableCache;
  /** Epoch of the new owner. */
  epoch: number;
}

/**
 * Cleans up the uploads of an earlier owner. Safe to repeat.
 *
 * Each table gets a fence first, so that a pending commit must conflict. Then the recorded files that are not in the
 * table are deleted.
 * Files of a table that cannot be written stay recorded, for a later owner: a pending commit may still need them.
 * @returns the intent with only the deleted files, and maybe the one that stays
 * @throws TxnConflictError if a later owner has fenced the table; that owner cleans up
 */
export async function recover(
  intent: Intent,
  { storage, tables, epoch }: RecoverOptions,
): Promise<{ cleaned: Intent; kept?: Intent }> {
  const deleted: FilesByTable = {};
  const kept: FilesByTable = {};
  for (const [root, paths] of Object.entries(intent.files)) {
    try {
      const uncommitted = await cleanUp(root, paths);
      if (uncommitted.length > 0) deleted[root] = uncommitted;
    } catch (error) {
      if (!isOfOneTable(error)) throw error;
      kept[root] = paths;
    }
  }
  return {
    cleaned: { ...intent, files: deleted },
    ...(Object.keys(kept).length > 0 ? { kept: { ...intent, files: kept } } : {}),
  };

  async function cleanUp(root: string, paths: string[]): Promise<string[]> {
    const { name, tenantId } = parseRoot(root);
    const table = tables(name, tenantId);
    if (intent.recoveredMs === undefined) {
      await table.fence({ appId: intent.appId, version: epoch, info: { operation: 'FENCE', epoch } });
    }
    // After the fence no recorded file can become live. A file compacted since may still serve a query, so tombstones
    // from before the last checkpoint count too. They are read after the snapshot, so that no file slips between.
    const { files } = await table.snapshot();
    const uncommitted = notInTable(paths, { files, tombstones: await table.tombstones() });
    await storage.delete(uncommitted.map((path) => `${root}/${path}`));
    return uncommitted;
  }
}

/** Paths that were never data files of the table. */
function notInTable(paths: readonly string[], { files, tombstones }: Pick<Snapshot, 'files' | 'tombstones'>): string[] {
  return paths.filter((path) => !files.has(path) && !tombstones.has(path));
}

/** Splits a root such as `events/tenant=demo-shop` (tableRoot of lake/layout/tables.ts). */
function parseRoot(root: string): { name: TableName; tenantId: string } {
  const [folder, tenantId = ''] = root.split('/tenant=');
  const name = TABLE_NAMES.find((known) => known === folder);
  if (!name) throw new Error(`intents name ${root}, which is no table`);
  return { name, tenantId };
}

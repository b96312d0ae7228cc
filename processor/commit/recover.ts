import type { Snapshot } from '../../lake/delta/snapshot.ts';
import type { TableCache } from '../../lake/layout/tableCache.ts';
import type { Storage } from '../../lake/storage/storage.ts';
import { TABLE_NAMES, type TableName } from '../../lake/layout/tables.ts';
import type { FilesByTable, Intent } from './intents.ts';

export interface RecoverOptions {
  storage: Storage;
  tables: TableCache;
  /** The new owner's. */
  epoch: number;
}

/**
 * Cleans up what an owner left behind: for each table it was about to commit to, first a fence, so that a commit of it still
 * under way must conflict, then a look at what is in the table, then the files that are not are deleted. Safe to repeat.
 * Returns the intent with only the files deleted.
 * @throws TxnConflictError when a later owner has fenced the table: then it is that one's to clean up.
 */
export async function recover(intent: Intent, { storage, tables, epoch }: RecoverOptions): Promise<Intent> {
  const deleted: FilesByTable = {};
  for (const [root, paths] of Object.entries(intent.files)) {
    const { name, tenantId } = parseRoot(root);
    const table = tables(name, tenantId);
    if (intent.recoveredMs === undefined) {
      await table.fence({ appId: intent.appId, version: epoch, info: { operation: 'FENCE', epoch } });
    }
    // Behind the fence none of them can become live. All tombstones, not only those since the last checkpoint, tell a file
    // that was compacted since, which a query may still read. They come after the snapshot, so that none slips between.
    const { files } = await table.snapshot();
    const uncommitted = notInTable(paths, { files, tombstones: await table.tombstones() });
    await storage.delete(uncommitted.map((path) => `${root}/${path}`));
    if (uncommitted.length > 0) deleted[root] = uncommitted;
  }
  return { ...intent, files: deleted };
}

/** Paths that are no data file of the table, now or before a compaction. */
function notInTable(paths: readonly string[], { files, tombstones }: Pick<Snapshot, 'files' | 'tombstones'>): string[] {
  return paths.filter((path) => !files.has(path) && !tombstones.has(path));
}

/** The parts of `events/tenant=demo-shop` (tableRoot of lake/layout/tables.ts). */
function parseRoot(root: string): { name: TableName; tenantId: string } {
  const [folder, tenantId = ''] = root.split('/tenant=');
  const name = TABLE_NAMES.find((known) => known === folder);
  if (!name) throw new Error(`intents name ${root}, which is no table`);
  return { name, tenantId };
}

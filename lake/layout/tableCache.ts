import type { CheckpointFormat } from '../delta/checkpoint.ts';
import { deltaTable, type Table } from '../delta/table.ts';
import type { Storage } from '../storage/storage.ts';
import { tableSpec, type TableName } from './tables.ts';
import type { Registry } from '../../schemas/registry.ts';

/** Tables whose snapshots stay in memory; others are read again on use. */
const MAX_TABLES = 1_024;

/**
 * A tenant's table, as one shared instance while memory allows.
 *
 * All users of the instance read the table's log once.
 */
export type TableCache = (name: TableName, tenantId: string) => Table;

/**
 * Creates the cache of open tables.
 * @param checkpoints absent: DuckDB in this process writes them
 */
export function createTableCache(storage: Storage, registry: Registry, checkpoints?: CheckpointFormat): TableCache {
  const open = new Map<string, Table>();
  return (name, tenantId) => {
    const id = `${name}/${tenantId}`;
    const table =
      open.get(id) ?? deltaTable(storage, tableSpec(name, tenantId, registry), checkpoints ? { checkpoints } : {});
    // A Map keeps the order of insertion, so its first entry is the least recently used.
    open.delete(id);
    open.set(id, table);
    if (open.size > MAX_TABLES) open.delete(open.keys().next().value!);
    return table;
  };
}

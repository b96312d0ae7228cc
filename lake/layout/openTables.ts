import type { CheckpointFormat } from '../delta/checkpoint.ts';
import { openTable, type Table } from '../delta/table.ts';
import type { Storage } from '../storage/storage.ts';
import { tableSpec, type TableName } from './tables.ts';
import type { Registry } from '../../schemas/registry.ts';

/** Tables kept open with their snapshots in memory; others are opened again on use. */
const OPEN_TABLES = 1_024;

/**
 * A tenant's table, as one shared instance while memory allows.
 *
 * All users of the instance read the table's log once.
 */
export type OpenTables = (name: TableName, tenantId: string) => Table;

/**
 * Creates the cache of open tables, without I/O.
 * @param checkpoints absent: DuckDB in this process writes them
 */
export function openTables(storage: Storage, registry: Registry, checkpoints?: CheckpointFormat): OpenTables {
  const open = new Map<string, Table>();
  return (name, tenantId) => {
    const id = `${name}/${tenantId}`;
    const table =
      open.get(id) ?? openTable(storage, tableSpec(name, tenantId, registry), checkpoints ? { checkpoints } : {});
    // A Map keeps the order of insertion, so its first entry is the least recently used.
    open.delete(id);
    open.set(id, table);
    if (open.size > OPEN_TABLES) open.delete(open.keys().next().value!);
    return table;
  };
}

import type { CheckpointFormat } from '../delta/checkpoint.ts';
import { openTable, type Table } from '../delta/table.ts';
import type { Storage } from '../storage/storage.ts';
import { tableSpec, type TableName } from './tables.ts';
import type { Registry } from '../../schemas/registry.ts';

/** Tables kept open: each holds its snapshot in memory. Others are opened again when they are needed. */
const OPEN_TABLES = 1_024;

/** Gives a tenant's table, the same instance while it is kept: its log is read once for all users. */
export type OpenTables = (name: TableName, tenantId: string) => Table;

/**
 * Keeps the tables of a process open, one cache for all its parts. Opens nothing yet.
 * @param checkpoints absent: with DuckDB in this process.
 */
export function openTables(storage: Storage, registry: Registry, checkpoints?: CheckpointFormat): OpenTables {
  const open = new Map<string, Table>();
  return (name, tenantId) => {
    const id = `${name}/${tenantId}`;
    const table =
      open.get(id) ?? openTable(storage, tableSpec(name, tenantId, registry), checkpoints ? { checkpoints } : {});
    // Deleting first moves it to the end: a Map keeps the order of insertion, so that the first is the least used.
    open.delete(id);
    open.set(id, table);
    if (open.size > OPEN_TABLES) open.delete(open.keys().next().value!);
    return table;
  };
}

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
 *
 * A full cache drops any one of its tables. Those of a shard are asked for in turn, so that the least recently used one
 * would be the next needed: with one tenant too many, every log would be read for every flush.
 * @param options.checkpoints absent: DuckDB in this process writes them
 */
export function createTableCache(
  storage: Storage,
  registry: Registry,
  { checkpoints, most = MAX_TABLES }: { checkpoints?: CheckpointFormat; most?: number } = {},
): TableCache {
  const open = new Map<string, Table>();
  const ids: string[] = [];
  return (name, tenantId) => {
    const id = `${name}/${tenantId}`;
    const known = open.get(id);
    if (known) return known;
    const table = deltaTable(storage, tableSpec(name, tenantId, registry), checkpoints ? { checkpoints } : {});
    const at = ids.length < most ? ids.length : Math.floor(Math.random() * most);
    const dropped = ids[at];
    if (dropped !== undefined) open.delete(dropped);
    ids[at] = id;
    open.set(id, table);
    return table;
  };
}

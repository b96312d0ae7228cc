import type { Registry } from '../../schemas/registry.ts';
import { deltaTable, type Table } from '../../lake/delta/table.ts';
import { LakeError } from '../../lake/errors.ts';
import type { TableCache } from '../../lake/layout/tableCache.ts';
import { TABLE_NAMES } from '../../lake/layout/tables.ts';
import type { Storage } from '../../lake/storage/storage.ts';
import { listMarts, martSpec, type Mart } from './mart.ts';

/** Marts whose snapshots stay in memory. */
const MOST_MARTS = 256;

/**
 * The table of a name: events, quarantine, or a mart.
 *
 * A mart covers the whole tenant, so its reader must be allowed all segments.
 * @throws LakeError changes_unknown, changes_parameter
 */
export type ReadableTables = (name: string, reader: { tenantId: string; segmentIds: readonly string[] }) => Table;

/** Tables by name, each shared by all who read it. */
export function createReadableTables(lake: {
  storage: Storage;
  tables: TableCache;
  registry: Registry;
}): ReadableTables {
  const { storage, tables, registry } = lake;
  const open = new Map<string, Table>();
  const marts = listMarts(registry);
  return (name, { tenantId, segmentIds }) => {
    const table = TABLE_NAMES.find((known) => known === name);
    if (table) return tables(table, tenantId);
    const mart = martOf(name, marts, segmentIds);
    const id = `${name}/${tenantId}`;
    const found = open.get(id) ?? deltaTable(storage, martSpec(mart, tenantId));
    // A Map keeps the order of insertion, so its first entry is the least recently used.
    open.delete(id);
    open.set(id, found);
    if (open.size > MOST_MARTS) open.delete(open.keys().next().value!);
    return found;
  };
}

function martOf(name: string, marts: readonly Mart[], segmentIds: readonly string[]): Mart {
  const mart = marts.find((known) => known.name === name);
  if (!mart) {
    const names = [...TABLE_NAMES, ...marts.map((known) => known.name)].join(', ');
    throw new LakeError(
      'changes_unknown',
      `There is no table ${JSON.stringify(name.slice(0, 80))}. Choose one of ${names}.`,
    );
  }
  if (segmentIds.length > 0) {
    throw new LakeError(
      'changes_parameter',
      `${name} covers the whole tenant, but this token reads only ${segmentIds.join(', ')}.`,
    );
  }
  return mart;
}

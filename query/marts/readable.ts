import type { Registry } from '../../schemas/registry.ts';
import { deltaTable, type Table } from '../../lake/delta/table.ts';
import { LakeError } from '../../lake/errors.ts';
import type { TableCache } from '../../lake/layout/tableCache.ts';
import { TABLE_NAMES } from '../../lake/layout/tables.ts';
import type { Storage } from '../../lake/storage/storage.ts';
import { listMarts, martSpec } from './mart.ts';

/**
 * The table of a name: events, quarantine, or a mart.
 *
 * A mart covers the whole tenant, so its reader must be allowed all segments.
 * @throws LakeError changes_unknown, changes_parameter
 */
export function readableTable(
  name: string,
  { tenantId, segmentIds }: { tenantId: string; segmentIds: readonly string[] },
  { storage, tables, registry }: { storage: Storage; tables: TableCache; registry: Registry },
): Table {
  const table = TABLE_NAMES.find((known) => known === name);
  if (table) return tables(table, tenantId);
  const marts = listMarts(registry);
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
  return deltaTable(storage, martSpec(mart, tenantId));
}

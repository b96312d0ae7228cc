import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { formatRanges, parseRanges } from '../../lake/counts/dayCounts.ts';
import type { DayCounts } from '../../lake/counts/commitCounts.ts';
import { readCommitCounts } from '../../lake/counts/commits.ts';
import { readErasures, type ErasureList } from '../../lake/erasure/list.ts';
import type { ErasedLine, ErasedPlace } from '../../lake/flush/erased.ts';
import type { Storage } from '../../lake/storage/storage.ts';
import { TABLE_NAMES, tableRoot, type TableName } from '../../lake/layout/tables.ts';

/** Erased people, and events that commits count as erased or resends. */
export interface ErasedBefore {
  list: ErasureList;
  /** File of ErasedLine lines; undefined if nobody is erased. */
  file: string | undefined;
  /** Counted positions, by table and receipt. */
  counted: Record<TableName, ReadonlyMap<string, ReadonlySet<number>>>;
}

/**
 * Read the tenant's list of erasures, and the counts of the tables' commits.
 * @throws LakeError storage_unavailable, table_corrupt
 */
export async function readErasedBefore(storage: Storage, tenantId: string, dir: string): Promise<ErasedBefore> {
  const list = await readErasures(storage, tenantId);
  const counted = { events: new Map<string, Set<number>>(), quarantine: new Map<string, Set<number>>() };
  if (list.ids.length === 0) return { list, file: undefined, counted };
  const lines: ErasedLine[] = [];
  for (const table of TABLE_NAMES) {
    for (const { erased, duplicates } of await readCommitCounts(storage, tableRoot(table, tenantId))) {
      for (const [receipt, ranges] of [...Object.entries(erased), ...Object.entries(duplicates)]) {
        const known = counted[table].get(receipt) ?? new Set();
        counted[table].set(receipt, known);
        for (const position of parseRanges(ranges)) known.add(position);
      }
      for (const [receipt, ranges] of Object.entries(erased))
        for (const position of parseRanges(ranges)) lines.push({ table, receipt, position });
    }
  }
  const file = join(dir, 'erased-before.ndjson');
  await writeFile(file, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  return { list, file, counted };
}

/** Find omitted events that no commit has counted. */
export function uncounted(places: readonly ErasedPlace[], { counted }: Pick<ErasedBefore, 'counted'>): ErasedPlace[] {
  return places.flatMap((place) => {
    const known = counted[place.table].get(place.receiptId);
    const positions = place.positions.filter((position) => !known?.has(position));
    return positions.length === 0 ? [] : [{ ...place, positions }];
  });
}

/** Build the counts of erased events for a commit (lake/counts/commits.ts). */
export function countsOfErased(places: readonly ErasedPlace[]): {
  days?: Record<string, DayCounts>;
  erased?: Record<string, string>;
} {
  if (places.length === 0) return {};
  const days: Record<string, DayCounts> = {};
  const erased: Record<string, string> = {};
  for (const { receivedDay, receiptId, positions } of places) {
    days[receivedDay] = { erased: (days[receivedDay]?.erased ?? 0) + positions.length };
    erased[receiptId] = formatRanges([...parseRanges(erased[receiptId] ?? ''), ...positions]);
  }
  return { days, erased };
}

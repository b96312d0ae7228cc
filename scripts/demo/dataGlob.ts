import { join } from 'node:path';

/** Glob of a table's data files, without its log. */
export function dataGlob(folder: string, table: 'events' | 'quarantine', tenantId: string): string {
  return join(folder, table, `tenant=${tenantId}`, 'segment=*', 'date=*', '*.parquet');
}

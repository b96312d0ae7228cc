import { join } from 'node:path';

/** The glob that finds a table's data files and nothing of its log. */
export function dataGlob(folder: string, table: 'events' | 'quarantine', tenantId: string): string {
  return join(folder, table, `tenant=${tenantId}`, 'segment=*', 'date=*', '*.parquet');
}

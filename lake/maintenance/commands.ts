import { join } from 'node:path';
import type { Logger } from '../../runtime/log.ts';
import type { Registry } from '../../schemas/registry.ts';
import { duckdbCheckpoints } from '../delta/checkpointParquet.ts';
import { deltaTable } from '../delta/table.ts';
import { openDuckdb } from '../duckdb/duckdb.ts';
import { catalogueSpec } from '../layout/catalogue.ts';
import { createTableCache } from '../layout/tableCache.ts';
import type { Present } from '../storage/agreedTime.ts';
import type { Storage } from '../storage/storage.ts';
import { TABLE_NAMES } from '../layout/tables.ts';
import { listDerivedTables } from '../layout/derivedTables.ts';
import { openMaintenance, type TableReport } from './maintenance.ts';
import { listTenants } from '../layout/tenants.ts';
import { vacuum, type VacuumOptions, type VacuumReport } from './vacuum.ts';

interface LakeAccess {
  storage: Storage;
  registry: Registry;
  /** Undefined: all tenants that have a table. */
  tenantIds: readonly string[] | undefined;
  /** The store's present; absent: if the clocks of this host and the store agree. */
  present?: Present;
  log: Logger;
  signal?: AbortSignal;
}

export interface CompactLakeOptions extends LakeAccess {
  /** Scratch folder. */
  workDir: string;
  memoryMb: number;
  threads: number;
  logRetentionMs: number;
  /** Called for each finished table, to show progress. */
  onTable?: (report: TableReport) => void;
}

/** Compact tables, write due checkpoints and clean logs: `spor compact`. */
export async function compactLake(options: CompactLakeOptions): Promise<TableReport[]> {
  const { storage, registry, log, workDir, memoryMb, threads, logRetentionMs, signal, onTable } = options;
  const spillDir = join(workDir, 'spill');
  const engine = openDuckdb({ memory: `${memoryMb}MiB`, threads, spillDir });
  try {
    const maintenance = await openMaintenance({
      storage,
      table: createTableCache(storage, registry),
      engine,
      checkpoints: duckdbCheckpoints(),
      workDir,
      log,
      share: 1,
      logRetentionMs,
      vacuumGraceMs: undefined,
      ...(options.present ? { present: options.present } : {}),
    });
    const reports: TableReport[] = [];
    for (const tenantId of options.tenantIds ?? (await listTenants(storage))) {
      const done = await maintenance.run(tenantId, signal);
      for (const report of done) onTable?.(report);
      reports.push(...done);
    }
    return reports;
  } finally {
    await engine.close();
  }
}

export interface VacuumLakeOptions extends LakeAccess, Omit<VacuumOptions, 'signal' | 'present'> {
  /** Called for each finished table, to show progress. */
  onTable?: (report: VacuumReport) => void;
}

/**
 * Vacuum tables: `spor vacuum`.
 * @throws RangeError for an unsafe grace time
 */
export async function vacuumLake(options: VacuumLakeOptions): Promise<VacuumReport[]> {
  const { storage, registry, tenantIds, onTable } = options;
  const table = createTableCache(storage, registry);
  const reports: VacuumReport[] = [];
  for (const tenantId of tenantIds ?? (await listTenants(storage))) {
    const tables = TABLE_NAMES.map((name) => table(name, tenantId));
    const catalogue = deltaTable(storage, catalogueSpec(tenantId));
    const others = (await catalogue.snapshot()).version < 0 ? [] : [catalogue];
    for (const one of [...tables, ...others, ...(await listDerivedTables(storage, tenantId))]) {
      if (options.signal?.aborted) return reports;
      const report = await vacuum(storage, one, options);
      onTable?.(report);
      reports.push(report);
    }
  }
  return reports;
}

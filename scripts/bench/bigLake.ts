import { existsSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { copyStats, fileStats } from '../../lake/delta/stats.ts';
import { deltaTable } from '../../lake/delta/table.ts';
import { openDuckdb } from '../../lake/duckdb/duckdb.ts';
import { parquetCopyOptions } from '../../lake/duckdb/parquet.ts';
import type { SqlSession } from '../../lake/duckdb/sqlEngine.ts';
import { literal } from '../../lake/duckdb/sqlText.ts';
import { openLocalStorage } from '../../lake/storage/local.ts';
import { newFilePath, tableSpec } from '../../lake/layout/tables.ts';
import { eventColumns } from '../../schemas/columns.ts';
import type { Registry } from '../../schemas/registry.ts';
import { EVENTS_PER_SESSION, shopDaySql } from './shopSql.ts';
import { DAY_MS, utcDay } from '../../runtime/units.ts';

export interface BigLake {
  /** The lake's folder. */
  lake: string;
  /** One sorted Parquet file with the first tenant's rows. */
  plain: string;
  tenants: readonly string[];
  /** First date, and the date after the last. */
  from: string;
  to: string;
}

const DAYS = 30;
/** Start of the simulated month; reports name their period. */
const FIRST_MS = Date.parse('2026-10-01T00:00:00Z');
const TENANTS = 5;
/** Share of a tenant's sessions by segment. */
const SEGMENTS = { web: 0.7, app: 0.3 };
const MEMORY = '4GiB';
const APP_ID = 'bench@2026-10-01T00:00:00Z';

/**
 * Creates a compacted lake once, and keeps it in a folder.
 *
 * The layout is that of the processor and of compaction. Each file is made by itself, which bounds the memory.
 */
export async function openBigLake(
  folder: string,
  { events, registry, log }: { events: number; registry: Registry; log: (line: string) => void },
): Promise<BigLake> {
  const big: BigLake = {
    lake: join(folder, 'lake'),
    plain: join(folder, 'plain.parquet'),
    tenants: Array.from({ length: TENANTS }, (_, index) => `shop-${index}`),
    from: dateOf(0),
    to: dateOf(DAYS),
  };
  const finished = join(folder, 'finished');
  if (existsSync(finished)) return big;
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const engine = openDuckdb({ memory: MEMORY, threads: 2, spillDir: join(folder, 'spill') });
  try {
    const session = engine.session();
    for (const tenantId of big.tenants) {
      const share = events / TENANTS / DAYS / EVENTS_PER_SESSION;
      const rows = await writeTenant(session, big.lake, { tenantId, sessionsPerDay: share, registry });
      log(`${tenantId}: ${rows} events`);
    }
    await writePlain(session, big);
  } finally {
    await engine.close();
    await rm(join(folder, 'spill'), { recursive: true, force: true });
  }
  await writeFile(finished, '');
  return big;
}

/** Writes a tenant's commits: one per day, with a file per segment. */
async function writeTenant(
  session: SqlSession,
  lake: string,
  { tenantId, sessionsPerDay, registry }: { tenantId: string; sessionsPerDay: number; registry: Registry },
): Promise<number> {
  const storage = await openLocalStorage(lake);
  const table = deltaTable(storage, tableSpec('events', tenantId, registry));
  const columns = eventColumns(registry);
  const options = parquetCopyOptions({ profile: 'zstd', age: 'compacted' });
  let rows = 0;
  for (let day = 0; day < DAYS; day++) {
    const files = [];
    for (const [segmentId, share] of Object.entries(SEGMENTS)) {
      const date = dateOf(day);
      const partitionValues = { segment: segmentId, date };
      const path = newFilePath(partitionValues, { stream: 'EVENTS_0', firstSequence: day + 1, lastSequence: day + 1 });
      const sql = shopDaySql(registry, { tenantId, segmentId, date, sessions: Math.ceil(sessionsPerDay * share) });
      const local = join(lake, 'made.parquet');
      const [row] = await session.run(`COPY (${sql}) TO ${literal(local)} (${options}, RETURN_STATS)`);
      const copy = copyStats(row!);
      await storage.upload(`${table.spec.root}/${path}`, local);
      await rm(local, { force: true });
      files.push({
        path,
        size: copy.file_size_bytes,
        rows: copy.count,
        partitionValues,
        stats: fileStats(copy, columns),
      });
      rows += copy.count;
    }
    const txn = { appId: APP_ID, version: day + 1, expected: day === 0 ? undefined : day };
    await table.append({ files, txn, info: { operation: 'WRITE' } });
  }
  storage.close();
  return rows;
}

async function writePlain(session: SqlSession, { lake, plain, tenants }: BigLake): Promise<void> {
  const files = literal(join(lake, 'events', `tenant=${tenants[0]!}`, 'segment=*', 'date=*', '*.parquet'));
  const types = `hive_types = {'segment': VARCHAR, 'date': DATE}`;
  await session.run(`COPY (
      SELECT * FROM read_parquet(${files}, hive_partitioning = true, ${types}) ORDER BY type, event_time
    ) TO ${literal(plain)} (${parquetCopyOptions({ profile: 'zstd', age: 'compacted' })})`);
}

function dateOf(day: number): string {
  return utcDay(FIRST_MS + day * DAY_MS);
}

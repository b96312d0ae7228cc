import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import type { CatalogueReport } from '../../schemas/catalogue.ts';
import { fieldIdsOption } from '../../lake/delta/fieldIds.ts';
import type { Snapshot } from '../../lake/delta/snapshot.ts';
import { copyStats, fileStats } from '../../lake/delta/stats.ts';
import { deltaTable, type Table } from '../../lake/delta/table.ts';
import { TxnConflictError } from '../../lake/delta/txnConflict.ts';
import { openDuckdb } from '../../lake/duckdb/duckdb.ts';
import { parquetCopyOptions } from '../../lake/duckdb/parquet.ts';
import type { SqlSession } from '../../lake/duckdb/sqlEngine.ts';
import { literal } from '../../lake/duckdb/sqlText.ts';
import { withSession } from '../../lake/duckdb/withSession.ts';
import { LakeError } from '../../lake/errors.ts';
import type { LocalFiles } from '../../lake/files/localFiles.ts';
import { CATALOGUE_COLUMNS, catalogueSpec, newCatalogueFilePath } from '../../lake/layout/catalogue.ts';
import { checkpointDue } from '../../lake/maintenance/checkpoints.ts';
import type { Storage } from '../../lake/storage/storage.ts';
import { changedSql, fileSql, knownSql, stagedSql } from './changesSql.ts';
import type { CatalogueLine } from './fileLines.ts';
import { stageLines, type Staged } from './staging.ts';

/** What to import, and how. */
export interface CatalogueImport {
  tenantId: string;
  segmentId: string;
  /** Lines as products; the session reads files. */
  lines: (session: SqlSession) => AsyncIterable<CatalogueLine>;
  mode: 'part' | 'whole';
  dryRun?: boolean;
  /** Whether to store the good lines if others are bad. */
  skipBad?: boolean;
  /** Time from which the versions are valid, milliseconds since 1970; absent: now. */
  validFromMs?: number | undefined;
}

/** The lake that a catalogue goes into. */
export interface CatalogueLake {
  storage: Storage;
  localFiles: LocalFiles;
}

const MEMORY = '512MiB';
const MOST_TRIES = 10;
/** Files of a segment from which an import writes them as one. */
const MOST_FILES = 16;

/**
 * Imports products of a segment: all lines or, unless bad ones may be skipped, none.
 *
 * Only new and changed products are written, each as a new version. One commit makes them visible.
 * @throws LakeError catalogue_unreadable, catalogue_empty, storage_unavailable, table_corrupt
 */
export async function importCatalogue(request: CatalogueImport, lake: CatalogueLake): Promise<CatalogueReport> {
  const dir = await mkdtemp(join(tmpdir(), 'spor-catalogue-'));
  const engine = openDuckdb({ memory: MEMORY, threads: 1, spillDir: join(dir, 'spill') });
  try {
    const staged = await withSession(engine, (session) =>
      stageLines(request.lines(session), join(dir, 'lines.ndjson')),
    );
    if (staged.bad > 0 && !request.skipBad) return reportOf(request, staged, {});
    if (request.mode === 'whole' && staged.good === 0)
      throw new LakeError(
        'catalogue_empty',
        'The catalogue has no product, and would remove all products of the segment.',
      );
    const table = deltaTable(lake.storage, catalogueSpec(request.tenantId));
    for (let tries = 1; ; tries++) {
      try {
        return await withSession(engine, (session) => commitLines(request, staged, { ...lake, table, session, dir }));
      } catch (error) {
        // Another import came first: its versions are read, and the changes found anew.
        if (!(error instanceof TxnConflictError) || tries === MOST_TRIES) throw error;
      }
    }
  } finally {
    await engine.close();
    await rm(dir, { recursive: true, force: true });
  }
}

async function commitLines(
  request: CatalogueImport,
  staged: Staged,
  { storage, localFiles, table, session, dir }: Lake,
): Promise<CatalogueReport> {
  const { segmentId, mode } = request;
  const before = await table.snapshot();
  const files = [...before.files.values()].filter(({ partitionValues }) => partitionValues.segment === segmentId);
  const lease = await localFiles.lease(table.spec.root, files);
  try {
    for (const name of ['known', 'staged', 'changed']) await session.run(`DROP TABLE IF EXISTS ${name}`);
    await session.run(knownSql([...lease.paths.values()]));
  } finally {
    await lease.release();
  }
  await session.run(stagedSql(staged.file));
  const [last] = await session.run('SELECT epoch_ms(max(imported_at))::BIGINT AS ms FROM known');
  // Later than every import before, whatever the clocks say.
  const importedMs = Math.max(await storage.now(), Number(last?.ms ?? 0) + 1);
  const importedAt = new Date(importedMs).toISOString();
  const validFrom = new Date(request.validFromMs ?? importedMs).toISOString();
  const whole = mode === 'whole';
  await session.run(changedSql({ at: validFrom, importedAt, whole, removes: whole && !staged.nameless }));
  const counted = await session.run('SELECT fate, count(*)::INTEGER AS products FROM changed GROUP BY fate');
  const counts = Object.fromEntries(counted.map(({ fate, products }) => [String(fate), Number(products)]));
  const changes = (counts.added ?? 0) + (counts.changed ?? 0) + (counts.removed ?? 0);
  if (request.dryRun || changes === 0) return reportOf(request, staged, counts);
  const merged = files.length + 1 > MOST_FILES;
  const path = newCatalogueFilePath(segmentId);
  const localFile = join(dir, basename(path));
  const options = `${parquetCopyOptions()}${fieldIdsOption(CATALOGUE_COLUMNS)}, RETURN_STATS`;
  const [copied] = await session.run(`COPY (${fileSql(merged)}) TO ${literal(localFile)} (${options})`);
  const stats = copyStats(copied!);
  const unusedSinceMs = await storage.now();
  await storage.upload(`${table.spec.root}/${path}`, localFile);
  const { version } = await table.replace({
    remove: merged ? files : [],
    add: [
      {
        path,
        size: stats.file_size_bytes,
        rows: stats.count,
        partitionValues: { segment: segmentId },
        stats: fileStats(stats, CATALOGUE_COLUMNS),
      },
    ],
    dataChange: true,
    unusedSinceMs,
    txn: nextOf(before, segmentId),
    info: { operation: 'WRITE', operationParameters: { mode: 'Append', segment: segmentId } },
  });
  // Without a checkpoint the log is only longer to read.
  if (checkpointDue(table.sinceCheckpoint())) await table.checkpoint().catch(() => undefined);
  return { ...reportOf(request, staged, counts), validFrom, version };
}

interface Lake extends CatalogueLake {
  table: Table;
  session: SqlSession;
  dir: string;
}

/** The number of a segment's import, by which two at once notice each other. */
function nextOf(
  { txns }: Snapshot,
  segmentId: string,
): { appId: string; version: number; expected: number | undefined } {
  const appId = `catalogue/${segmentId}`;
  const expected = txns.get(appId);
  return { appId, version: (expected ?? 0) + 1, expected };
}

function reportOf(request: CatalogueImport, staged: Staged, counts: Record<string, number>): CatalogueReport {
  const { tenantId, segmentId, mode, dryRun = false } = request;
  const { added = 0, changed = 0, removed = 0, unchanged = 0 } = counts;
  const { lines, bad, faults } = staged;
  return { tenantId, segmentId, mode, dryRun, lines, added, changed, removed, unchanged, bad, faults };
}

import { createHash, randomBytes } from 'node:crypto';
import { cleanSinceId, ERASURES_ID } from '../delta/guards.ts';
import { deltaTable, type Table, type TableSpec } from '../delta/table.ts';
import { openDuckdb } from '../duckdb/duckdb.ts';
import { listDerivedTables } from '../layout/derivedTables.ts';
import type { TableCache } from '../layout/tableCache.ts';
import type { SqlSession } from '../duckdb/sqlEngine.ts';
import { literal } from '../duckdb/sqlText.ts';
import type { Storage } from '../storage/storage.ts';
import { EXPIRY_RECORDS, REPLAY_RECORDS, TABLE_NAMES } from '../layout/tables.ts';
import type { ReachErasure } from './failpoint.ts';
import { addErasures, erasuresFolder, readErasures, type ErasedId } from './list.ts';
import { localFile, rowsOf } from '../files/localRows.ts';
import { findMissing, IdsMissingError, namesOf, type AskedId } from './missing.ts';
import { erasedIds, type Person } from './person.ts';
import { eraseFromTable, type TableErasure } from './tableErasure.ts';

export interface EraseOptions {
  storage: Storage;
  tables: TableCache;
  tenantId: string;
  /** The tenant's derived tables that a refresh can create, existing or not. */
  derived: readonly TableSpec[];
  users: readonly string[];
  anonymous: readonly string[];
  /** Segments whose ids these are; absent: all of the tenant. */
  segments?: readonly string[] | undefined;
  /** Whether to erase the anonymous ids linked to the users as well. */
  withLinked: boolean;
  /** Whether only to report the rows to erase, without any change. */
  dryRun: boolean;
  /** Whether to reject ids that neither a table nor the list has. */
  refuseMissing?: boolean;
  /** Name of the person responsible, for the report. */
  by: string;
  /** Folder for unfinished files. */
  workDir: string;
  memoryMb: number;
  /** Time before vacuum may delete replaced files. */
  vacuumGraceMs: number;
  reach?: ReachErasure;
}

/** Report of an erasure without the ids, kept as `erasures/tenant=<t>/report-….json`. */
export interface ErasureReport {
  tenantId: string;
  dryRun: boolean;
  by: string;
  /** ISO 8601. */
  startedAt: string;
  finishedAt: string;
  ids: ErasedId[];
  /** Segments that were searched; absent: all. */
  segments?: readonly string[];
  /** Anonymous ids linked to the users by consent, and whether they were erased. */
  linked: { ids: number; erased: boolean };
  /** Length of the tenant's list of erasures, which every later commit respects. */
  list: number;
  tables: TableErasure[];
  /** Last sequence per stream whose rows were searched; the list holds back later ones. */
  streams: Record<string, number>;
  /** When vacuum may delete the replaced files, ISO 8601. */
  vacuumAfter: string;
}

/** A stored report with the SHA-256 of its other fields. */
export type SignedReport = ErasureReport & { sha256: string };

/**
 * Removes a person from all tables of a tenant.
 *
 * First the hashed ids go on the tenant's list of erasures, and each table is marked with the length of the list. From
 * then on a commit that does not respect the list conflicts. Then files are rewritten until none holds a row of the
 * person. Marts come last. Each is marked with the first clean version of the events, so a refresh that read an older
 * version conflicts. A killed erasure can be repeated at any step, beside flushes and compactions.
 * @returns the report and its path (undefined in a dry run), the linked anonymous ids, and the missing ids if they are
 * rejected
 * @throws LakeError storage_unavailable, table_corrupt; IdsMissingError before any change, except in a dry run
 */
export async function erase(
  options: EraseOptions,
): Promise<{ report: SignedReport; path: string | undefined; linked: string[]; missing: AskedId[] }> {
  const { storage, tables, tenantId, users, anonymous, segments, withLinked, dryRun, by, workDir, memoryMb } = options;
  const { derived, reach = () => undefined } = options;
  const startedAt = new Date().toISOString();
  const known = await Promise.all(
    TABLE_NAMES.map(async (name) => (await tables(name, tenantId).snapshot()).version >= 0),
  );
  if (!known.includes(true)) throw new Error(`tenant ${tenantId} has nothing in the lake`);
  const engine = openDuckdb({ memory: `${memoryMb}MiB`, threads: 2, spillDir: workDir });
  const session = engine.session();
  try {
    const linked = await findLinked(session, options);
    const person: Person = { users, anonymous, segments, linked: withLinked ? linked : [] };
    const isOurs = (table: Table): boolean => derived.some(({ root }) => root === table.spec.root);
    const missing = options.refuseMissing ? await missingIds(session, options, isOurs) : [];
    if (missing.length > 0 && !dryRun) throw new IdsMissingError(`no row and no erasure of ${namesOf(missing)}`);
    const ids = erasedIds(tenantId, person);
    const { version: list, ids: listed } = dryRun
      ? await readErasures(storage, tenantId)
      : await addErasures(storage, tenantId, ids);
    reach('listed');
    const linkedHashes = listed.filter(({ kind }) => kind === 'linked');
    const whom = { ...person, tenantId, linkedHashes };
    const shared = { storage, session, folder: workDir, person: whom, dryRun, reach };
    const erasures: TableErasure[] = [];
    for (const name of dryRun ? [] : TABLE_NAMES) {
      const info = { operation: 'ERASURE MARK' };
      await tables(name, tenantId).raise({ id: ERASURES_ID, version: list, info });
    }
    reach('marked');
    for (const kind of TABLE_NAMES) erasures.push(await eraseFromTable(tables(kind, tenantId), { ...shared, kind }));
    // Undoing a replay or an expiry would restore files from before the erasure.
    if (!dryRun) for (const name of TABLE_NAMES) await dropUndoRecords(storage, tables(name, tenantId).spec.root);
    const { txns, metaData } = await tables('events', tenantId).snapshot();
    reach('events-clean');
    // The first refresh of a table may be under way, so tables that do not exist yet count too.
    const existing = await listDerivedTables(storage, tenantId);
    for (const spec of dryRun ? [] : derived) {
      const version = erasures[TABLE_NAMES.indexOf('events')]!.verified.version;
      const info = { operation: 'ERASURE MARK' };
      const table = existing.find(({ spec: { root } }) => root === spec.root) ?? deltaTable(storage, spec);
      await table.raise({ id: cleanSinceId(metaData!.id), version, info });
    }
    reach('marts-marked');
    for (const table of await listDerivedTables(storage, tenantId)) {
      erasures.push(await eraseFromTable(table, { ...shared, kind: isOurs(table) ? 'mart' : 'other' }));
    }
    reach('marts-clean');
    const finished = await storage.now();
    const report = signed({
      tenantId,
      dryRun,
      by,
      startedAt,
      finishedAt: new Date(finished).toISOString(),
      ids,
      ...(segments ? { segments } : {}),
      linked: { ids: linked.length, erased: withLinked },
      list,
      tables: erasures,
      streams: Object.fromEntries([...txns].filter(([id]) => id.includes('@') && !id.endsWith('/fence'))),
      vacuumAfter: new Date(finished + options.vacuumGraceMs).toISOString(),
    });
    return { report, path: dryRun ? undefined : await keep(storage, report), linked, missing };
  } finally {
    await session.close();
    await engine.close();
  }
}

async function missingIds(
  session: SqlSession,
  { storage, tables, tenantId, users, anonymous, segments, workDir }: EraseOptions,
  isOurs: (table: Table) => boolean,
): Promise<AskedId[]> {
  const asked: AskedId[] = [
    ...users.map((id) => ({ kind: 'user' as const, id })),
    ...anonymous.map((id) => ({ kind: 'anonymous' as const, id })),
  ];
  const marts = await listDerivedTables(storage, tenantId);
  return findMissing(asked, {
    storage,
    session,
    folder: workDir,
    tenantId,
    segments,
    list: await readErasures(storage, tenantId),
    tables: [
      ...TABLE_NAMES.map((kind) => ({ table: tables(kind, tenantId), kind })),
      ...marts.map((table) => ({ table, kind: isOurs(table) ? ('mart' as const) : ('other' as const) })),
    ],
  });
}

/** Anonymous ids of events with one of the users and consent. */
async function findLinked(
  session: SqlSession,
  { storage, tables, tenantId, users, anonymous, segments, workDir }: EraseOptions,
): Promise<string[]> {
  if (users.length === 0) return [];
  const table = tables('events', tenantId);
  const found = new Set<string>();
  const within = segments ? `AND segment_id IN (${segments.map(literal).join(', ')})` : '';
  for (const { path } of (await table.snapshot()).files.values()) {
    const local = await localFile(storage, `${table.spec.root}/${path}`, workDir);
    const rows = await session.run(
      `SELECT DISTINCT anonymous_id FROM ${rowsOf(local.file)}
       WHERE user_id IN (${users.map(literal).join(', ')}) AND consent_personalization AND anonymous_id IS NOT NULL ${within}`,
    );
    for (const { anonymous_id: id } of rows) found.add(String(id));
    await local.release();
  }
  for (const id of anonymous) found.delete(id);
  return [...found].sort();
}

async function dropUndoRecords(storage: Storage, root: string): Promise<void> {
  const records: string[] = [];
  for (const folder of [REPLAY_RECORDS, EXPIRY_RECORDS])
    for await (const { path } of storage.list(`${root}/${folder}/`)) records.push(path);
  await storage.delete(records);
}

function signed(report: ErasureReport): SignedReport {
  return { ...report, sha256: createHash('sha256').update(JSON.stringify(report)).digest('hex') };
}

async function keep(storage: Storage, report: SignedReport): Promise<string> {
  const time = report.finishedAt.replaceAll(/[:.]/g, '-');
  const path = `${erasuresFolder(report.tenantId)}/report-${time}-${randomBytes(3).toString('hex')}.json`;
  await storage.putIfAbsent(path, Buffer.from(`${JSON.stringify(report)}\n`));
  return path;
}

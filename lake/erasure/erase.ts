import { createHash, randomBytes } from 'node:crypto';
import { cleanSinceId, ERASURES_ID } from '../delta/guards.ts';
import { openTable, type Table, type TableSpec } from '../delta/table.ts';
import { openDuckdb } from '../duckdb/duckdb.ts';
import { listDerivedTables } from '../layout/derivedTables.ts';
import type { OpenTables } from '../layout/openTables.ts';
import type { SqlSession } from '../duckdb/sqlEngine.ts';
import { literal } from '../duckdb/sqlText.ts';
import type { Storage } from '../storage/storage.ts';
import { REPLAY_RECORDS, TABLE_NAMES } from '../layout/tables.ts';
import type { ReachErasure } from './failpoint.ts';
import { addErasures, erasuresFolder, readErasures, type ErasedId } from './list.ts';
import { localFile, rowsOf } from '../files/localRows.ts';
import { findMissing, IdsMissing, namesOf, type AskedId } from './missing.ts';
import { erasedIds, type Person } from './person.ts';
import { eraseFromTable, type TableErasure } from './tableErasure.ts';

export interface EraseOptions {
  storage: Storage;
  tables: OpenTables;
  tenantId: string;
  /** The tenant's derived tables that a refresh can make, whether they exist yet or not. */
  derived: readonly TableSpec[];
  users: readonly string[];
  anonymous: readonly string[];
  /** Erase the anonymous ids linked to the users as well. */
  withLinked: boolean;
  /** Only say what would be erased, and change nothing. */
  dryRun: boolean;
  /** Refuse ids of which the lake has no row and no erasure, rather than only hold back what comes late. */
  refuseMissing?: boolean;
  /** Who signs for it; goes into the report. */
  by: string;
  /** Folder for unfinished files. */
  workDir: string;
  memoryMb: number;
  /** How long replaced files stay before vacuum may delete them. */
  vacuumGraceMs: number;
  reach?: ReachErasure;
}

/** What was erased, without the ids themselves: kept in the lake as `erasures/tenant=<t>/report-….json`. */
export interface ErasureReport {
  tenantId: string;
  dryRun: boolean;
  by: string;
  /** ISO 8601. */
  startedAt: string;
  finishedAt: string;
  ids: ErasedId[];
  /** Anonymous ids linked to the users by events that carry both with consent, and whether they were erased too. */
  linked: { ids: number; erased: boolean };
  /** Entries of the tenant's list of erasures that every later commit respects. */
  list: number;
  tables: TableErasure[];
  /** By stream: rows of its messages up to this sequence were looked through; later ones are held back by the list. */
  streams: Record<string, number>;
  /** From when on a vacuum deletes the files that were replaced, ISO 8601. */
  vacuumAfter: string;
}

/** A report as it is kept, with the SHA-256 of its JSON text without this field. */
export type SignedReport = ErasureReport & { sha256: string };

/**
 * Removes a person from all tables of a tenant. First the ids, hashed, go on the tenant's list of erasures, and each table is
 * marked with its length, so that no commit which does not respect it can succeed any more; then files are rewritten until none
 * holds a row of the person. Marts come last: marked with the version of the events since which these are clean, they refuse a
 * refresh that has read an older one. Safe to be killed at any step and repeated, beside flushes and compactions.
 * @returns the report, where it is kept (undefined in a dry run), the anonymous ids linked to the users, and the missing ids
 *   where those are to be refused
 * @throws LakeError storage_unavailable, table_corrupt; IdsMissing, having changed nothing, except in a dry run
 */
export async function erase(
  options: EraseOptions,
): Promise<{ report: SignedReport; path: string | undefined; linked: string[]; missing: AskedId[] }> {
  const { storage, tables, tenantId, users, anonymous, withLinked, dryRun, by, workDir, memoryMb } = options;
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
    const person: Person = { users, anonymous, linked: withLinked ? linked : [] };
    const isOurs = (table: Table): boolean => derived.some(({ root }) => root === table.spec.root);
    const missing = options.refuseMissing ? await missingIds(session, options, isOurs) : [];
    if (missing.length > 0 && !dryRun) throw new IdsMissing(`no row and no erasure of ${namesOf(missing)}`);
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
    // What undoes a replay would bring back files from before.
    if (!dryRun) for (const name of TABLE_NAMES) await forgetReplays(storage, tables(name, tenantId).spec.root);
    const { txns, metaData } = await tables('events', tenantId).snapshot();
    reach('events-clean');
    // Also those that do not exist yet: their first refresh may be under way.
    const existing = await listDerivedTables(storage, tenantId);
    for (const spec of dryRun ? [] : derived) {
      const version = erasures[TABLE_NAMES.indexOf('events')]!.verified.version;
      const info = { operation: 'ERASURE MARK' };
      const table = existing.find(({ spec: { root } }) => root === spec.root) ?? openTable(storage, spec);
      await table.raise({ id: cleanSinceId(metaData!.id), version, info });
    }
    reach('marts-marked');
    for (const table of await listDerivedTables(storage, tenantId)) {
      erasures.push(await eraseFromTable(table, { ...shared, kind: isOurs(table) ? 'mart' : 'other' }));
    }
    reach('marts-clean');
    const finished = Date.now();
    const report = signed({
      tenantId,
      dryRun,
      by,
      startedAt,
      finishedAt: new Date(finished).toISOString(),
      ids,
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
  { storage, tables, tenantId, users, anonymous, workDir }: EraseOptions,
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
    list: await readErasures(storage, tenantId),
    tables: [
      ...TABLE_NAMES.map((kind) => ({ table: tables(kind, tenantId), kind })),
      ...marts.map((table) => ({ table, kind: isOurs(table) ? ('mart' as const) : ('other' as const) })),
    ],
  });
}

/** Anonymous ids that an event carries together with one of the users and with consent to personalization. */
async function findLinked(
  session: SqlSession,
  { storage, tables, tenantId, users, anonymous, workDir }: EraseOptions,
): Promise<string[]> {
  if (users.length === 0) return [];
  const table = tables('events', tenantId);
  const found = new Set<string>();
  for (const { path } of (await table.snapshot()).files.values()) {
    const local = await localFile(storage, `${table.spec.root}/${path}`, workDir);
    const rows = await session.run(
      `SELECT DISTINCT anonymous_id FROM ${rowsOf(local.file)}
       WHERE user_id IN (${users.map(literal).join(', ')}) AND consent_personalization AND anonymous_id IS NOT NULL`,
    );
    for (const { anonymous_id: id } of rows) found.add(String(id));
    await local.release();
  }
  for (const id of anonymous) found.delete(id);
  return [...found].sort();
}

async function forgetReplays(storage: Storage, root: string): Promise<void> {
  const records: string[] = [];
  for await (const { path } of storage.list(`${root}/${REPLAY_RECORDS}/`)) records.push(path);
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

import { randomUUID } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { AddFile } from '../delta/actions.ts';
import { asNewFile } from '../delta/commits.ts';
import { ERASURES_ID } from '../delta/guards.ts';
import type { Table } from '../delta/table.ts';
import { localFile, receivedDays } from '../files/localRows.ts';
import type { SqlEngine } from '../duckdb/sqlEngine.ts';
import { EXPIRY_RECORDS } from '../layout/tables.ts';
import type { Storage } from '../storage/storage.ts';

/** The files of one expiry, kept beside the table for the undo. */
interface ExpiryRecord {
  removed: AddFile[];
  /** Time of the removal by the store's clock, in milliseconds since 1970. */
  atMs: number;
  /** Rows by day of receipt. */
  days: Record<string, { expired: number }>;
  /** Number of erasures that the files respect. */
  erasures: number;
}

export interface ExpireOptions {
  storage: Storage;
  engine: SqlEngine;
  /** Scratch folder. */
  workDir: string;
  /** Why, for the log: `retention of 30 days`. */
  reason: string;
  /** Whether to keep a record for undoExpiry; marts are made anew instead. */
  undoable: boolean;
}

/**
 * Removes the dates before one from a table in one commit; returns the number of files.
 *
 * Vacuum deletes the files after the grace time; until then undoExpiry restores them. The commit counts the rows as
 * `expired` by day of receipt.
 * @throws TxnConflictError if a compaction replaced one of the files first: plan again
 */
export async function expireBefore(
  table: Table,
  before: string,
  { storage, engine, workDir, reason, undoable }: ExpireOptions,
): Promise<number> {
  const { files, txns } = await table.snapshot();
  const removed = [...files.values()].filter(({ partitionValues: { date } }) => isDate(date) && date < before);
  if (removed.length === 0) return 0;
  const days = await countExpired(table, removed, { storage, engine, workDir });
  const atMs = await storage.now();
  if (undoable) await keepRecord(storage, table, { removed, atMs, days, erasures: txns.get(ERASURES_ID) ?? 0 });
  const info = { operation: 'DELETE', operationParameters: { predicate: `date < '${before}'`, reason }, days };
  await table.replace({ remove: removed, add: [], dataChange: true, unusedSinceMs: atMs, info });
  return removed.length;
}

/** Restored and lost dates of a table. */
export interface UndoneExpiry {
  restored: string[];
  /** Vacuum has deleted their files, or a person was erased since. */
  gone: string[];
}

/**
 * Restores the expired files that vacuum has not deleted, one commit for each expiry. Can be repeated.
 * @throws LakeError storage_unavailable; TxnConflictError if a vacuum or an erasure came first
 */
export async function undoExpiry(table: Table, storage: Storage): Promise<UndoneExpiry> {
  const restored = new Set<string>();
  const gone = new Set<string>();
  for (const record of await readRecords(storage, table)) {
    const { files, txns } = await table.snapshot();
    if (record.removed.some(({ path }) => files.has(path))) continue; // its commit never came, or it was undone
    const dates = record.removed.map(({ partitionValues: { date } }) => date ?? '');
    const add = record.removed.flatMap((file) => asNewFile(file) ?? []);
    const there = await Promise.all(record.removed.map(({ path }) => storage.has(`${table.spec.root}/${path}`)));
    const mayReturn =
      there.every(Boolean) && add.length === record.removed.length && record.erasures >= (txns.get(ERASURES_ID) ?? 0);
    for (const date of dates) (mayReturn ? restored : gone).add(date);
    if (!mayReturn) continue;
    const days = Object.fromEntries(
      Object.entries(record.days).map(([day, { expired }]) => [day, { expired: -expired }]),
    );
    const { atMs: unusedSinceMs, erasures } = record;
    const info = { operation: 'RESTORE', operationParameters: { reason: 'undo of retention' }, days };
    await table.replace({ remove: [], add, dataChange: true, unusedSinceMs, erasures, info });
  }
  return { restored: [...restored].sort(), gone: [...gone].filter((date) => !restored.has(date)).sort() };
}

async function countExpired(
  table: Table,
  files: readonly AddFile[],
  { storage, engine, workDir }: Pick<ExpireOptions, 'storage' | 'engine' | 'workDir'>,
): Promise<ExpiryRecord['days']> {
  const folder = join(workDir, `compact-${process.pid}-${randomUUID()}`);
  const session = engine.session();
  try {
    await mkdir(folder, { recursive: true });
    const counts: ExpiryRecord['days'] = {};
    for (const { path } of files) {
      const local = await localFile(storage, `${table.spec.root}/${path}`, folder);
      for (const [day, rows] of await receivedDays(session, local.file)) {
        counts[day] = { expired: (counts[day]?.expired ?? 0) + rows };
      }
      await local.release();
    }
    return counts;
  } finally {
    await session.close();
    await rm(folder, { recursive: true, force: true });
  }
}

/** Keeps a record, in place of those that no undo can use any more. */
async function keepRecord(storage: Storage, table: Table, record: ExpiryRecord): Promise<void> {
  const { files } = await table.snapshot();
  for (const { path, removed } of await readRecords(storage, table)) {
    const first = removed[0]?.path;
    const isSpent = first === undefined || files.has(first) || !(await storage.has(`${table.spec.root}/${first}`));
    if (isSpent) await storage.delete([path]);
  }
  const path = `${recordsFolder(table)}${record.atMs}-${randomUUID()}.json`;
  await storage.putIfAbsent(path, Buffer.from(JSON.stringify(record)));
}

async function readRecords(storage: Storage, table: Table): Promise<(ExpiryRecord & { path: string })[]> {
  const records: (ExpiryRecord & { path: string })[] = [];
  for await (const { path } of storage.list(recordsFolder(table))) {
    const body = await storage.get(path);
    if (body) records.push({ ...(JSON.parse(Buffer.from(body).toString('utf8')) as ExpiryRecord), path });
  }
  return records;
}

function recordsFolder(table: Table): string {
  return `${table.spec.root}/${EXPIRY_RECORDS}/`;
}

function isDate(date: unknown): date is string {
  return typeof date === 'string' && /^\d{4}-\d\d-\d\d$/.test(date);
}

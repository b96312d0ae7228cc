import type { AcceptedByDay, QuarantinedByDay } from '../../lake/counts/dayCounts.ts';
import type { AppendCommit, NewFile } from '../../lake/delta/commits.ts';
import { TxnConflictError, type Table } from '../../lake/delta/table.ts';
import type { Storage } from '../../lake/storage/storage.ts';
import { newFilePath, tableRoot, type TableName } from '../../lake/layout/tables.ts';
import type { ReachFlush } from '../failpoint.ts';
import type { FlushOutcome } from '../../lake/flush/lines.ts';
import type { WrittenWindow } from '../../lake/flush/parquetWriter.ts';
import type { ClosedWindow } from '../../lake/window/window.ts';
import { LostShardError, type FilesByTable, type Intents } from './intents.ts';
import { forEachLimited } from './parallel.ts';
import type { Tables } from './tables.ts';

/** One table's part of a flush. Paths are chosen once: retries upload and commit the same files. */
export interface TableCommit {
  name: TableName;
  tenantId: string;
  files: { localFile: string; file: NewFile }[];
  info: Record<string, unknown>;
  /**
   * Before the events of its tenant: an accepted event that cannot become a row is one of the quarantine, and would be lost by a
   * kill in between once the events table says that it has had its message.
   */
  first: boolean;
}

export interface CommitOptions {
  storage: Storage;
  tables: Tables;
  intents: Pick<Intents, 'record'>;
  epoch: number;
  reach: ReachFlush;
  /** Repeats a task while the storage is away; throws LostShardError once the lease has run out. */
  persist: <T>(what: string, task: () => Promise<T>) => Promise<T>;
}

const UPLOADS_AT_ONCE = 16;
const COMMITS_AT_ONCE = 16;

/** A commit for each table that a window has something for, be it only duplicates, which the commit then counts. */
export function planCommits(
  stream: string,
  window: ClosedWindow,
  { files, outcomes }: Omit<WrittenWindow, 'erased'>,
): TableCommit[] {
  const { firstSequence, lastSequence } = window;
  const from = { stream, firstSequence, lastSequence };
  const acknowledgedBefore = new Date(window.lastStoredMs).toISOString();
  const commits: TableCommit[] = [];
  for (const [tenantId, outcome] of outcomes) {
    const { accepted, stored, duplicate, unstorable, quarantined, duplicates } = outcome;
    const commit = (name: TableName, counts: Record<string, unknown>): void => {
      const own = files.filter(({ table, source }) => table === name && source.tenantId === tenantId);
      const info = { ...from, acknowledgedBefore, ...counts };
      const first = name === 'quarantine' && unstorable > 0;
      commits.push({ name, tenantId, files: own.map((file) => newFile(file, from)), info, first });
    };
    const { acceptedByDay, quarantinedByDay } = countsByDay(outcome);
    const { erasedEvents, erasedRejected } = outcome;
    const counts = { accepted, stored, duplicate, setAside: unstorable };
    if (accepted > 0) commit('events', { ...counts, days: acceptedByDay, duplicates, ...erasedOf(erasedEvents) });
    if (quarantined > 0) commit('quarantine', { quarantined, days: quarantinedByDay, ...erasedOf(erasedRejected) });
  }
  return commits;
}

function erasedOf(erased: Record<string, string>): { erased?: Record<string, string> } {
  return Object.keys(erased).length > 0 ? { erased } : {};
}

/** The accounts of both tables (lake/counts/dayCounts.ts); days without a count are left out. */
function countsByDay({ days }: FlushOutcome): { acceptedByDay: AcceptedByDay; quarantinedByDay: QuarantinedByDay } {
  const acceptedByDay: AcceptedByDay = {};
  const quarantinedByDay: QuarantinedByDay = {};
  for (const [day, { accepted, duplicate, unstorable, quarantined, unstorableRows, erased, erasedRows }] of days) {
    if (accepted > 0)
      acceptedByDay[day] = { accepted, duplicate, setAside: unstorable, ...(erased > 0 ? { erased } : {}) };
    if (quarantined > 0)
      quarantinedByDay[day] = {
        quarantined,
        setAside: unstorableRows,
        ...(erasedRows > 0 ? { erased: erasedRows } : {}),
      };
  }
  return { acceptedByDay, quarantinedByDay };
}

function newFile(
  written: WrittenWindow['files'][number],
  source: Parameters<typeof newFilePath>[1],
): TableCommit['files'][number] {
  const { localFile, bytes: size, rows, stats, date } = written;
  const partitionValues = { segment: written.source.segmentId, date };
  return { localFile, file: { path: newFilePath(partitionValues, source), size, rows, partitionValues, stats } };
}

/**
 * Uploads and commits a window's files. The order is what makes a kill at any step harmless: paths are recorded before the
 * first upload, files are complete before the first commit, and each table's commit is one atomic log entry carrying how
 * far the stream is in it.
 * @throws TxnConflictError, LostShardError when another owner has taken over: then none of the files left uncommitted remains, unless
 *   a commit's outcome is unknown; that one is the next owner's to find out.
 */
export async function commitWindow(
  window: ClosedWindow,
  commits: readonly TableCommit[],
  options: CommitOptions,
): Promise<void> {
  const { storage, tables, intents, reach, persist } = options;
  const uploads = commits.flatMap((commit) =>
    commit.files.map(({ localFile, file }) => ({ localFile, path: `${rootOf(commit)}/${file.path}` })),
  );
  const unusedSinceMs = Date.now();
  /** Commits that may be in their table: committed, or tried without an answer. */
  const tried = new Set<TableCommit>();
  try {
    await persist('recording the files', () => intents.record(filesByTable(commits)));
    reach('before-upload');
    await forEachLimited(uploads, UPLOADS_AT_ONCE, ({ localFile, path }) =>
      persist('uploading', () => storage.upload(path, localFile)),
    );
    reach('after-upload');
    for (const round of [commits.filter(({ first }) => first), commits.filter(({ first }) => !first)]) {
      await forEachLimited(round, COMMITS_AT_ONCE, async (commit) => {
        await commitTable(window, commit, { ...options, unusedSinceMs }, tried);
        tables.advance(commit.name, commit.tenantId, window.lastSequence);
        reach('after-first-commit');
      });
    }
    reach('after-commit');
  } catch (error) {
    if (error instanceof TxnConflictError || error instanceof LostShardError) {
      const unused = commits.filter((commit) => !tried.has(commit));
      await storage.delete(
        unused.flatMap((commit) => commit.files.map(({ file }) => `${rootOf(commit)}/${file.path}`)),
      );
    }
    throw error;
  }
}

async function commitTable(
  window: ClosedWindow,
  commit: TableCommit,
  { tables, epoch, persist, unusedSinceMs }: CommitOptions & { unusedSinceMs: number },
  tried: Set<TableCommit>,
): Promise<void> {
  const { name, tenantId, files, info } = commit;
  const table = tables.table(name, tenantId);
  const append: AppendCommit = {
    files: files.map(({ file }) => file),
    txn: { appId: tables.appId, version: window.lastSequence, expected: tables.expected(name, tenantId), epoch },
    unusedSinceMs,
    erasures: tables.erasures(tenantId).version,
    info: { operation: 'STREAMING UPDATE', epoch, ...info },
  };
  let unsure = false;
  await persist(`committing to ${table.spec.root}`, async () => {
    tried.add(commit);
    try {
      await table.append(append);
    } catch (error) {
      if (error instanceof TxnConflictError) {
        // A commit of files is known again by them; one of none by how far the stream is, after a try without an answer.
        if (unsure && files.length === 0 && (await txnOf(table, tables.appId)) === window.lastSequence) return;
        tried.delete(commit);
      }
      unsure = true;
      throw error;
    }
  });
}

async function txnOf(table: Table, appId: string): Promise<number | undefined> {
  return (await table.snapshot()).txns.get(appId);
}

function filesByTable(commits: readonly TableCommit[]): FilesByTable {
  return Object.fromEntries(commits.map((commit) => [rootOf(commit), commit.files.map(({ file }) => file.path)]));
}

function rootOf({ name, tenantId }: TableCommit): string {
  return tableRoot(name, tenantId);
}

import type { AppendCommit } from '../../lake/delta/commits.ts';
import type { Table } from '../../lake/delta/table.ts';
import { TxnConflictError } from '../../lake/delta/txnConflict.ts';
import { tableRoot } from '../../lake/layout/tables.ts';
import type { Storage } from '../../lake/storage/storage.ts';
import type { ReachFlush } from '../failpoint.ts';
import { LostShardError, type FilesByTable, type Intents } from './intents.ts';
import { forEachLimited } from './parallel.ts';
import type { TableCommit } from './plan.ts';
import type { Tables } from './tables.ts';

export interface CommitOptions {
  storage: Storage;
  tables: Tables;
  intents: Pick<Intents, 'record'>;
  epoch: number;
  /** Store time of the window's last message, in milliseconds since 1970. */
  storedMs?: number;
  /** Position up to which the shard is committed with this window. */
  shardPosition?: number;
  reach: ReachFlush;
  /** Repeats a task while the storage is away. @throws LostShardError after the lease expires */
  persist: <T>(what: string, task: () => Promise<T>) => Promise<T>;
}

const UPLOADS_AT_ONCE = 16;
const COMMITS_AT_ONCE = 16;

/**
 * Commit of one window: `uploadFiles`, then `commitTables`, each once.
 *
 * The order makes a kill at any step harmless. Paths are recorded before the first upload, and files are complete
 * before the first commit. Each table's commit is one atomic log entry, which carries the stream position.
 *
 * Both throw TxnConflictError or LostShardError after another owner has taken over. Uncommitted files are then deleted,
 * except those of a commit with an unknown outcome. The next owner resolves that commit.
 */
export class WindowCommit {
  readonly #commits: readonly TableCommit[];
  readonly #lastSequence: number;
  readonly #options: CommitOptions;
  /** Commits that succeeded, or were tried without an answer. */
  readonly #tried = new Set<TableCommit>();
  #unusedSinceMs = 0;

  /** @param lastSequence of the window; each table's stream position afterwards */
  constructor(commits: readonly TableCommit[], lastSequence: number, options: CommitOptions) {
    this.#commits = commits;
    this.#lastSequence = lastSequence;
    this.#options = options;
  }

  /** Record the paths of all files, then upload the files. */
  async uploadFiles(): Promise<void> {
    const { storage, intents, reach, persist } = this.#options;
    await this.#deletingUnused(async () => {
      this.#unusedSinceMs = await persist("asking for the store's time", () => storage.now());
      await persist('recording the files', () => intents.record(filesByTable(this.#commits)));
      reach('before-upload');
      await forEachLimited(this.#commits.flatMap(uploadsOf), UPLOADS_AT_ONCE, ({ localFile, path }) =>
        persist('uploading', () => storage.upload(path, localFile)),
      );
      reach('after-upload');
    });
  }

  /** Commit each table; commits marked `first` before the others. */
  async commitTables(): Promise<void> {
    const { tables, reach } = this.#options;
    const [early, late] = [this.#commits.filter(({ first }) => first), this.#commits.filter(({ first }) => !first)];
    await this.#deletingUnused(async () => {
      for (const round of [early, late]) {
        await forEachLimited(round, COMMITS_AT_ONCE, async (commit) => {
          if (!(await this.#commitTable(commit))) return;
          tables.advance(commit.name, commit.tenantId, this.#lastSequence);
          reach('after-first-commit');
        });
      }
      reach('after-commit');
    });
  }

  /** Commit one table; false if its tenant is parked. Vacuum finds what was uploaded for it. */
  async #commitTable(commit: TableCommit): Promise<boolean> {
    const { tables, epoch, storedMs, shardPosition, persist } = this.#options;
    const { name, tenantId, files, info } = commit;
    const lastSequence = this.#lastSequence;
    const table = tables.table(name, tenantId);
    const append: AppendCommit = {
      // Two clocks, of which the later counts: a resend is sought in files that may be young enough.
      files: files.map(({ file }) => ({
        ...file,
        storedThroughMs: Math.max(file.storedThroughMs ?? 0, this.#unusedSinceMs),
      })),
      txn: {
        appId: tables.appId,
        version: lastSequence,
        expected: tables.expected(name, tenantId),
        epoch,
        ...(storedMs === undefined ? {} : { storedMs }),
        ...(shardPosition === undefined ? {} : { shardPosition }),
      },
      unusedSinceMs: this.#unusedSinceMs,
      erasures: tables.erasures(tenantId).version,
      info: { operation: 'STREAMING UPDATE', epoch, ...info },
    };
    let unsure = false;
    return persist(`committing to ${table.spec.root}`, async () => {
      if (tables.parked.has(tenantId)) return false;
      this.#tried.add(commit);
      try {
        await tables.parked.watch(tenantId, () => table.append(append));
        return true;
      } catch (error) {
        if (error instanceof TxnConflictError) {
          // A commit with files is recognised by them. After a try without an answer, the stream position tells one
          // without files.
          if (unsure && files.length === 0 && (await txnOf(table, tables.appId)) === lastSequence) return true;
          this.#tried.delete(commit);
        }
        unsure = true;
        throw error;
      }
    });
  }

  /** Run a stage. After a takeover, delete the files that are in no table. */
  async #deletingUnused(stage: () => Promise<void>): Promise<void> {
    try {
      await stage();
    } catch (error) {
      if (error instanceof TxnConflictError || error instanceof LostShardError) {
        const unused = this.#commits.filter((commit) => !this.#tried.has(commit));
        await this.#options.storage.delete(unused.flatMap(uploadsOf).map(({ path }) => path));
      }
      throw error;
    }
  }
}

function uploadsOf(commit: TableCommit): { localFile: string; path: string }[] {
  return commit.files.map(({ localFile, file }) => ({ localFile, path: `${rootOf(commit)}/${file.path}` }));
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

import { randomUUID } from 'node:crypto';
import { LakeError } from '../errors.ts';
import type { Storage } from '../storage/storage.ts';
import { checkWritable, PROTOCOL, removeAction, type Action, type MetaData, type RemoveFile } from './actions.ts';
import { readTombstones, writeCheckpoint, type Checkpoint, type CheckpointFormat } from './checkpoint.ts';
import type { AppendCommit, ConfigureCommit, FenceCommit, NewFile, RaiseCommit, ReplaceCommit } from './commits.ts';
import { IN_PROCESS } from './inProcessCheckpoints.ts';
import { fenceId, refusal, type AddedFiles } from './guards.ts';
import { readLog, readVersion, writeEntry } from './log.ts';
import { COLUMNS_TAG, columnsFingerprint, mergedSchema, schemaString, type TableColumn } from './schema.ts';
import { NO_TABLE, replayActions, type Snapshot } from './snapshot.ts';

export interface TableSpec {
  /** Folder of the table within the lake: `events/tenant=demo-shop`. */
  root: string;
  /** Columns of the data files; the partition columns are not among them. */
  columns: readonly TableColumn[];
  partitionColumns: readonly ('segment' | 'date')[];
}

export interface Table {
  readonly spec: TableSpec;
  /** The newest version; only log entries after the last one seen are read. Version -1: the table does not exist. */
  snapshot(): Promise<Snapshot>;
  /**
   * The table as of a version, from 0.
   * @throws LakeError version_unknown when there is no such version yet; version_gone when its log has been cleaned.
   */
  at(version: number): Promise<Snapshot>;
  /**
   * Adds files in one atomic commit, creating the table when there is none. Durable when resolved. Appending the same
   * files with the same txn again is fine: it answers the newest version and writes nothing.
   * @throws TxnConflictError when another owner has committed for the same appId, the files may have been vacuumed, or rows of
   *   them erased: nothing of this commit is in the table.
   * @throws LakeError storage_unavailable when the outcome is not known: append again, or compare a new snapshot's txn.
   *   Until then the files must not be deleted, nor written again under other names.
   */
  append(commit: AppendCommit): Promise<{ version: number }>;
  /**
   * Writes a commit that only raises the fence of an application, so that every older owner's pending commit must conflict.
   * Once resolved, files which older owners uploaded and which are not in the table can be deleted. Fencing again with the
   * same epoch writes nothing.
   * @throws TxnConflictError when the fence is higher already: the caller is no longer the owner.
   */
  fence(commit: FenceCommit): Promise<{ version: number }>;
  /** Raises one of the guards (guards.ts) in a commit of its own, creating the table when there is none; never lowers it. */
  raise(commit: RaiseCommit): Promise<{ version: number }>;
  /** Sets a property of the table (`configuration` of its metaData), or removes it, creating the table when there is none. */
  configure(commit: ConfigureCommit): Promise<{ version: number }>;
  /**
   * Puts files in the place of others in one atomic commit. Files that others append meanwhile are no conflict. Replacing
   * the same files again is fine, as with append.
   * @throws TxnConflictError when one of the files to remove is not in the table any more, those to add may have been vacuumed,
   *   or rows of them erased: nothing of this commit is in the table.
   * @throws LakeError storage_unavailable when the outcome is not known: replace again, or look for the added files in a
   *   new snapshot. Until then they must not be deleted.
   */
  replace(commit: ReplaceCommit): Promise<{ version: number }>;
  /**
   * Writes a checkpoint of the newest version known here, so that opening the table reads only what comes after. Undefined
   * when there is one already, or the table does not exist. Failing does no harm.
   */
  checkpoint(): Promise<Checkpoint | undefined>;
  /** Commits known here since the last checkpoint or try of one, and about how many rows the next one has. */
  sinceCheckpoint(): { commits: number; rows: number };
  /** All removed files, by path, as of the newest version; those removed more than TOMBSTONE_MS ago may be missing. */
  tombstones(): Promise<Map<string, RemoveFile>>;
}

export interface OpenTableOptions {
  /** How checkpoints are read and written; by default with DuckDB within this process. */
  checkpoints?: CheckpointFormat;
}

/** Another owner has committed first; nothing of the caller's commit is in the table. */
export class TxnConflictError extends LakeError {
  constructor(message: string) {
    super('txn_conflict', message);
    this.name = 'TxnConflictError';
  }
}

/** A snapshot older than this is refreshed before writing on top of it: cleaned log versions must never be reused. */
const WRITE_ON_TOP_MS = 60_000;
/**
 * A version created this long after the snapshot it was planned on may have been used and cleaned away since; log entries
 * are kept for an hour at least (MIN_LOG_RETENTION_MS of maintenance).
 */
const PAUSED_MS = 600_000;
/** Other writers take every version for this many tries in a row only when something is wrong. */
const MAX_TRIES = 1_000;

/** Opens a table without touching the storage. One instance may be used concurrently. */
export function openTable(storage: Storage, spec: TableSpec, options: OpenTableOptions = {}): Table {
  return new DeltaTable(storage, spec, options.checkpoints ?? IN_PROCESS);
}

class DeltaTable implements Table {
  readonly spec: TableSpec;
  readonly #storage: Storage;
  readonly #wantedSchema: string;
  readonly #columnsTag: string;
  readonly #checkpoints: CheckpointFormat;
  #snapshot = NO_TABLE;
  #refreshedAt = -Infinity;
  #refreshing: Promise<Snapshot> | undefined;
  #checkpointing: Promise<Checkpoint | undefined> | undefined;
  #checkpointTried = -1;
  #checkpointRows = 0;

  constructor(storage: Storage, spec: TableSpec, checkpoints: CheckpointFormat) {
    this.#storage = storage;
    this.spec = spec;
    this.#checkpoints = checkpoints;
    this.#wantedSchema = schemaString(spec.columns, spec.partitionColumns);
    this.#columnsTag = columnsFingerprint(spec.columns);
  }

  async snapshot(): Promise<Snapshot> {
    // A refresh under way may have listed the log before the caller's last write: wait for it, then look again.
    if (this.#refreshing) await this.#refreshing.catch(() => undefined);
    return (this.#refreshing ??= this.#refresh());
  }

  async at(version: number): Promise<Snapshot> {
    const newest = await this.snapshot();
    if (version === newest.version) return newest;
    if (version > newest.version) {
      const message = `There is no version ${version} of ${this.spec.root} yet, the newest is ${newest.version}.`;
      throw new LakeError('version_unknown', message);
    }
    return readVersion(this.#storage, this.spec.root, { version, checkpoints: this.#checkpoints });
  }

  async append(commit: AppendCommit): Promise<{ version: number }> {
    const { appId, version, expected, epoch } = commit.txn;
    const { unusedSinceMs = Date.now(), erasures = 0 } = commit;
    let fence: number | undefined;
    let first = true;
    return this.#commit(commit.info, (base) => {
      const seen = base.txns.get(appId);
      if (seen === version && commit.files.length > 0 && commit.files.every(({ path }) => wasAdded(base, path)))
        return undefined;
      if (seen !== expected)
        throw new TxnConflictError(`${this.spec.root}: ${appId} is at ${seen}, expected ${expected}`);
      const now = base.txns.get(fenceId(appId));
      if (first) fence = now;
      first = false;
      if (now !== undefined && (epoch === undefined ? now !== fence : now > epoch)) {
        throw new TxnConflictError(
          `${this.spec.root}: ${appId} was fenced by epoch ${now}, this writer has ${epoch ?? 'none'}`,
        );
      }
      if (commit.files.length > 0) this.#mayAdd(base, { unusedSinceMs, erasures });
      return [
        ...commit.files.map((file) => this.#addAction(file, true)),
        { txn: { appId, version, lastUpdated: Date.now() } },
      ];
    });
  }

  async fence({ appId, version, info }: FenceCommit): Promise<{ version: number }> {
    const id = fenceId(appId);
    await this.snapshot();
    return this.#commit(info, (base) => {
      const seen = base.txns.get(id);
      if (seen === version) return undefined;
      if (seen !== undefined && seen > version) {
        throw new TxnConflictError(`${this.spec.root}: ${appId} is fenced by epoch ${seen} already, above ${version}`);
      }
      return [{ txn: { appId: id, version, lastUpdated: Date.now() } }];
    });
  }

  async raise({ id, version, info }: RaiseCommit): Promise<{ version: number }> {
    return this.#commit(info, (base) =>
      (base.txns.get(id) ?? -1) >= version ? undefined : [{ txn: { appId: id, version, lastUpdated: Date.now() } }],
    );
  }

  async configure({ name, value, info }: ConfigureCommit): Promise<{ version: number }> {
    return this.#commit(info, (base) => {
      const metaData = base.metaData ?? this.#newMetaData();
      const { [name]: before, ...configuration } = metaData.configuration;
      if (before === value && base.metaData) return undefined;
      if (value !== undefined) configuration[name] = value;
      return [{ metaData: { ...metaData, configuration } }];
    });
  }

  async replace({
    remove,
    add,
    dataChange,
    unusedSinceMs,
    erasures,
    madeFrom,
    txn,
    overwriteSchema,
    info,
  }: ReplaceCommit): Promise<{ version: number }> {
    return this.#commit(info, (base) => {
      const gone = remove.filter(({ path }) => !base.files.has(path));
      const added = add.length > 0 && add.every(({ path }) => base.files.has(path));
      if (added && gone.length === remove.length) return undefined;
      const seen = txn && base.txns.get(txn.appId);
      if (seen !== txn?.expected)
        throw new TxnConflictError(`${this.spec.root}: ${txn?.appId} is at ${seen}, expected ${txn?.expected}`);
      if (gone[0]) throw new TxnConflictError(`${this.spec.root}: ${gone[0].path} has been removed by another commit`);
      if (add.length > 0) this.#mayAdd(base, { unusedSinceMs, erasures, madeFrom });
      return [
        ...(overwriteSchema && remove.length === base.files.size ? this.#schemaAnew(base) : []),
        ...remove.map((file) => removeAction(file, dataChange)),
        ...add.map((file) => this.#addAction(file, dataChange)),
        ...(txn ? [{ txn: { appId: txn.appId, version: txn.version, lastUpdated: Date.now() } }] : []),
      ];
    });
  }

  checkpoint(): Promise<Checkpoint | undefined> {
    return (this.#checkpointing ??= this.#writeCheckpoint().finally(() => (this.#checkpointing = undefined)));
  }

  sinceCheckpoint(): { commits: number; rows: number } {
    const { version, checkpoint, files } = this.#snapshot;
    const last = Math.max(checkpoint, this.#checkpointTried);
    return { commits: version - last, rows: Math.max(files.size, this.#checkpointRows) };
  }

  async tombstones(): Promise<Map<string, RemoveFile>> {
    const { checkpoint, tombstones, files } = await this.snapshot();
    const older =
      checkpoint < 0 ? [] : await readTombstones(this.#storage, this.spec.root, checkpoint, this.#checkpoints);
    return new Map([...older, ...tombstones].filter(([path]) => !files.has(path)));
  }

  /**
   * Optimistic concurrency: plan on the newest version known, create the next log entry, and where that is taken, read
   * what came in between and plan again. A plan of undefined says that the table is as wanted already.
   */
  async #commit(
    info: Record<string, unknown>,
    plan: (base: Snapshot) => Action[] | undefined,
  ): Promise<{ version: number }> {
    if (performance.now() - this.#refreshedAt > WRITE_ON_TOP_MS) await this.snapshot();
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const base = this.#snapshot;
      const plannedOn = this.#refreshedAt;
      const planned = await this.#planned(plan, base);
      if (planned === 'stale') continue;
      if (!planned) return { version: base.version };
      const version = base.version + 1;
      // The random id makes every entry unique, which is how an unanswered write is recognised as one's own.
      const commitInfo = {
        timestamp: Date.now(),
        engineInfo: 'spor',
        operation: 'WRITE',
        txnId: randomUUID(),
        ...info,
      };
      const actions: Action[] = [{ commitInfo }, ...this.#tableActions(base, planned), ...planned];
      const created = await writeEntry(this.#storage, this.spec.root, version, actions);
      if (created && performance.now() - plannedOn <= PAUSED_MS) {
        this.#advance(version, actions);
        return { version };
      }
      // This process was stopped in between: only the table, read anew, can tell whether the entry is part of it.
      if (created) await this.#reread();
      else await this.snapshot();
    }
    throw new LakeError('storage_unavailable', `${this.spec.root}: ${MAX_TRIES} commits in a row conflicted`, {
      retryAfterSeconds: 5,
    });
  }

  /** A conflict counts only on the newest version: the caller may have learned of a commit before this instance did. */
  async #planned(
    plan: (base: Snapshot) => Action[] | undefined,
    base: Snapshot,
  ): Promise<Action[] | undefined | 'stale'> {
    try {
      return plan(base);
    } catch (error) {
      if (error instanceof TxnConflictError && (await this.snapshot()).version > base.version) return 'stale';
      throw error;
    }
  }

  #mayAdd(base: Snapshot, files: AddedFiles): void {
    const reason = refusal(base, files);
    if (reason !== undefined) throw new TxnConflictError(`${this.spec.root}: ${reason}`);
  }

  #addAction(file: NewFile, dataChange: boolean): Action {
    return {
      add: {
        path: file.path,
        partitionValues: { ...file.partitionValues },
        size: file.size,
        modificationTime: Date.now(),
        dataChange,
        stats: JSON.stringify({ ...file.stats, numRecords: file.rows }),
        tags: file.tags ?? { [COLUMNS_TAG]: this.#columnsTag },
      },
    };
  }

  /**
   * What a commit must say of the table itself, beside what it says anyway: everything when it creates it, its schema when
   * columns were added.
   */
  #tableActions(base: Snapshot, planned: readonly Action[]): Action[] {
    const told = planned.some((action) => 'metaData' in action);
    if (!base.protocol || !base.metaData) {
      return [{ protocol: PROTOCOL }, ...(told ? [] : [{ metaData: this.#newMetaData() }])];
    }
    checkWritable(base.protocol, base.metaData, this.spec.root);
    if (told) return [];
    const merged = mergedSchema(this.spec.root, base.metaData.schemaString, this.#wantedSchema);
    return merged === undefined ? [] : [{ metaData: { ...base.metaData, schemaString: merged } }];
  }

  /** The schema of this version alone, where the table's is another one. */
  #schemaAnew({ metaData }: Snapshot): Action[] {
    if (!metaData || metaData.schemaString === this.#wantedSchema) return [];
    return [{ metaData: { ...metaData, schemaString: this.#wantedSchema } }];
  }

  #newMetaData(): MetaData {
    return {
      id: randomUUID(),
      format: { provider: 'parquet', options: {} },
      schemaString: this.#wantedSchema,
      partitionColumns: [...this.spec.partitionColumns],
      configuration: {},
      createdTime: Date.now(),
    };
  }

  /** Own commits need not be read back, unless a refresh has gone past them already. */
  #advance(version: number, actions: readonly Action[]): void {
    if (this.#snapshot.version === version - 1)
      this.#snapshot = replayActions(this.#snapshot, [{ version, actions }], this.spec.root);
  }

  async #writeCheckpoint(): Promise<Checkpoint | undefined> {
    const snapshot = this.#snapshot.version < 0 ? await this.snapshot() : this.#snapshot;
    if (snapshot.version === snapshot.checkpoint) return undefined;
    this.#checkpointTried = snapshot.version;
    const options = { format: this.#checkpoints, now: Date.now() };
    const written = await writeCheckpoint(this.#storage, this.spec.root, snapshot, options);
    if (!written) {
      // The checkpoint this snapshot began with has been cleaned away: begin with a newer one.
      await this.#reread();
      return undefined;
    }
    this.#checkpointRows = written.rows;
    // Commits may have come meanwhile: of the tombstones only theirs are still needed.
    const { checkpoint, tombstones } = this.#snapshot;
    if (checkpoint < written.version) {
      const later = [...tombstones].filter(([path, remove]) => snapshot.tombstones.get(path) !== remove);
      this.#snapshot = { ...this.#snapshot, checkpoint: written.version, tombstones: new Map(later) };
    }
    return written;
  }

  /** From the beginning, or the newest checkpoint, as if nothing were known. */
  async #reread(): Promise<void> {
    const startedAt = performance.now();
    this.#snapshot = await readLog(this.#storage, this.spec.root, { checkpoints: this.#checkpoints });
    this.#refreshedAt = startedAt;
  }

  async #refresh(): Promise<Snapshot> {
    try {
      const startedAt = performance.now();
      const options = { base: this.#snapshot, checkpoints: this.#checkpoints };
      const snapshot = await readLog(this.#storage, this.spec.root, options);
      // A commit of our own may have advanced the snapshot meanwhile.
      if (snapshot.version > this.#snapshot.version) this.#snapshot = snapshot;
      this.#refreshedAt = startedAt;
      return this.#snapshot;
    } finally {
      this.#refreshing = undefined;
    }
  }
}

function wasAdded(snapshot: Snapshot, path: string): boolean {
  return snapshot.files.has(path) || snapshot.tombstones.has(path);
}

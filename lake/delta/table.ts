import { randomUUID } from 'node:crypto';
import { LakeError } from '../errors.ts';
import { TxnConflictError } from './txnConflict.ts';
import type { Storage } from '../storage/storage.ts';
import { checkWritable, PROTOCOL, removeAction, withProperties, type Action, type RemoveFile } from './actions.ts';
import { checkAppendOnly, commitFacts } from './commitFacts.ts';
import { readTombstones, writeCheckpoint, type Checkpoint, type CheckpointFormat } from './checkpoint.ts';
import {
  addAction,
  type AppendCommit,
  type ConfigureCommit,
  type FenceCommit,
  type NewFile,
  type RaiseCommit,
  type ReplaceCommit,
} from './commits.ts';
import { describeTable, type TableDescription } from './description.ts';
import { IN_PROCESS } from './inProcessCheckpoints.ts';
import { fenceId, refusal, type AddedFiles } from './guards.ts';
import { continuesLog, entryPath, readLog, readVersion, writeEntry } from './log.ts';
import { positionActions } from './positions.ts';
import type { TableColumn } from './schema.ts';
import { NO_TABLE, replayActions, wasAdded, type Snapshot } from './snapshot.ts';

export interface TableSpec {
  /** Folder of the table in the lake: `events/tenant=demo-shop`. */
  root: string;
  /** Columns of the data files, without the partition columns. */
  columns: readonly TableColumn[];
  /** Partition columns below the root; `name=value` folders of the root itself are partition columns too. */
  partitionColumns: readonly ('segment' | 'date')[];
}

export interface Table {
  readonly spec: TableSpec;
  /** The newest version that this instance knows, without a request; -1: none is known. */
  readonly known: Snapshot;
  /** Read the newest version by its new log entries. Version -1: the table does not exist. */
  snapshot(): Promise<Snapshot>;
  /**
   * Read the table as of a version, from 0.
   * @throws LakeError version_unknown if the version does not exist yet; version_gone if its log has been cleaned
   */
  at(version: number): Promise<Snapshot>;
  /**
   * Add files in one atomic commit, which may create the table. Durable when resolved.
   * A repetition with the same files and txn writes nothing, and returns the newest version.
   * @throws TxnConflictError if another owner has committed for the appId, or the files may have been vacuumed, or their rows
   *   erased. Nothing of this commit is in the table then.
   * @throws LakeError storage_unavailable if the outcome is unknown: append again, or compare the txn of a new snapshot.
   *   Until then the files must not be deleted, nor written again under other names.
   */
  append(commit: AppendCommit): Promise<{ version: number }>;
  /**
   * Raise the fence of an application, so that pending commits of older owners conflict.
   * Afterwards files of older owners that are not in the table can be deleted. A repetition with the same epoch writes nothing.
   * @throws TxnConflictError if the fence is higher already: the caller is no longer the owner
   */
  fence(commit: FenceCommit): Promise<{ version: number }>;
  /** Raise a guard (guards.ts) in its own commit, which may create the table. */
  raise(commit: RaiseCommit): Promise<{ version: number }>;
  /** Set or remove properties (metaData `configuration`) in a commit, which may create the table. */
  configure(commit: ConfigureCommit): Promise<{ version: number }>;
  /**
   * Check that a commit on a version would not be refused for the table's sake.
   * @throws LakeError table_unsupported, table_schema_conflict
   */
  mustBeWritable(snapshot: Snapshot): void;
  /**
   * Describe a table of an older version as this one would, in one commit that changes no row.
   * Every other commit does so too. A known table that is current costs no request.
   * @returns the newest known version
   */
  bringUpToDate(): Promise<Snapshot>;
  /**
   * Replace files by others in one atomic commit.
   * Concurrent appends are no conflict. A repetition writes nothing, as with append.
   * @throws TxnConflictError if a file to remove is no longer in the table, or files to add may have been vacuumed, or their
   *   rows erased. Nothing of this commit is in the table then.
   * @throws LakeError storage_unavailable if the outcome is unknown: replace again, or look for the added files in a new
   *   snapshot. Until then the files must not be deleted.
   */
  replace(commit: ReplaceCommit): Promise<{ version: number }>;
  /**
   * Write a checkpoint of the newest known version, where later reads of the table start.
   * Undefined if the checkpoint exists, or the table does not. A failure is harmless.
   */
  checkpoint(): Promise<Checkpoint | undefined>;
  /** Known commits since the last checkpoint or try, and the approximate rows of the next. */
  sinceCheckpoint(): { commits: number; rows: number };
  /** Read the removed files of the newest version, by path. Those older than TOMBSTONE_MS may be missing. */
  tombstones(): Promise<Map<string, RemoveFile>>;
}

export interface DeltaTableOptions {
  /** Format of checkpoints; default: DuckDB in this process. */
  checkpoints?: CheckpointFormat;
}

/**
 * Age from which a snapshot is refreshed before a commit, so that no cleaned version is reused.
 *
 * A commit proves the snapshot too. So a tenant that is committed every five minutes needs no listing.
 */
const WRITE_ON_TOP_MS = 400_000;
/**
 * Pause after which a created version may be a used and cleaned one.
 * Maintenance keeps log entries for an hour at least (MIN_LOG_RETENTION_MS).
 */
const PAUSED_MS = 600_000;
/** Facts of a commit that describes an older table anew. */
const UPGRADE = { operation: 'UPGRADE TABLE', operationParameters: { reason: 'description of this version of Spor' } };
/** Number of taken versions in a row that only a fault can cause. */
const MAX_TRIES = 1_000;

/** A table of the lake, read on first use. Concurrent calls are safe. */
export function deltaTable(storage: Storage, spec: TableSpec, options: DeltaTableOptions = {}): Table {
  return new DeltaTable(storage, spec, options.checkpoints ?? IN_PROCESS);
}

class DeltaTable implements Table {
  readonly spec: TableSpec;
  readonly #storage: Storage;
  readonly #description: TableDescription;
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
    this.#description = describeTable(spec);
  }

  get known(): Snapshot {
    return this.#snapshot;
  }

  async snapshot(): Promise<Snapshot> {
    // A running refresh may have listed the log before the caller's last write. Wait, then refresh again.
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
    const { erasures = 0 } = commit;
    const unusedSinceMs = commit.unusedSinceMs ?? (await this.#storage.now());
    let fence: number | undefined;
    let first = true;
    return this.#commit(commit.info, (base, nowMs) => {
      const seen = base.txns.get(appId);
      if (seen === version && commit.files.length > 0 && commit.files.every(({ path }) => wasAdded(base, path)))
        return undefined;
      if (seen !== expected)
        throw new TxnConflictError(`${this.spec.root}: ${appId} is at ${seen}, expected ${expected}`);
      const now = base.txns.get(fenceId(appId));
      if (first) fence = now;
      first = false;
      if (now !== undefined && (epoch === undefined ? now !== fence : now > epoch)) {
        const message = `${this.spec.root}: ${appId} was fenced by epoch ${now}, this writer has ${epoch ?? 'none'}`;
        throw new TxnConflictError(message, now);
      }
      if (commit.files.length > 0) this.#mayAdd(base, { unusedSinceMs, erasures });
      return [...commit.files.map((file) => this.#added(file, true, nowMs)), ...positionActions(commit.txn, nowMs)];
    });
  }

  async fence({ appId, version, info }: FenceCommit): Promise<{ version: number }> {
    const id = fenceId(appId);
    await this.snapshot();
    return this.#commit(info, (base, lastUpdated) => {
      const seen = base.txns.get(id);
      if (seen === version) return undefined;
      if (seen !== undefined && seen > version) {
        const message = `${this.spec.root}: ${appId} is fenced by epoch ${seen} already, above ${version}`;
        throw new TxnConflictError(message, seen);
      }
      return [{ txn: { appId: id, version, lastUpdated } }];
    });
  }

  async raise({ id, version, info }: RaiseCommit): Promise<{ version: number }> {
    return this.#commit(info, (base, lastUpdated) =>
      (base.txns.get(id) ?? -1) >= version ? undefined : [{ txn: { appId: id, version, lastUpdated } }],
    );
  }

  async configure({ set, info }: ConfigureCommit): Promise<{ version: number }> {
    return this.#commit(info, (base, nowMs) => {
      const metaData = withProperties(base.metaData ?? this.#description.create(nowMs), set);
      return base.metaData && metaData === base.metaData ? undefined : [{ metaData }];
    });
  }

  mustBeWritable(snapshot: Snapshot): void {
    this.#tableActions(snapshot, [], 0);
  }

  async bringUpToDate(): Promise<Snapshot> {
    if (this.#snapshot.version < 0) await this.snapshot();
    if (this.#description.isOutdated(this.#snapshot)) {
      await this.#commit(UPGRADE, (on) => (this.#description.isOutdated(on) ? [] : undefined));
    }
    return this.#snapshot;
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
    return this.#commit(info, (base, nowMs) => {
      const gone = remove.filter(({ path }) => !base.files.has(path));
      const added = add.length > 0 && add.every(({ path }) => base.files.has(path));
      if (added && gone.length === remove.length) return undefined;
      const seen = txn && base.txns.get(txn.appId);
      if (seen !== txn?.expected)
        throw new TxnConflictError(`${this.spec.root}: ${txn?.appId} is at ${seen}, expected ${txn?.expected}`);
      if (gone[0]) throw new TxnConflictError(`${this.spec.root}: ${gone[0].path} has been removed by another commit`);
      if (add.length > 0) this.#mayAdd(base, { unusedSinceMs, erasures, madeFrom });
      return [
        ...(overwriteSchema && remove.length === base.files.size ? this.#description.renewed(base) : []),
        ...remove.map((file) => removeAction(file, dataChange, nowMs)),
        ...add.map((file) => this.#added(file, dataChange, nowMs)),
        ...(txn ? [{ txn: { appId: txn.appId, version: txn.version, lastUpdated: nowMs } }] : []),
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
   * Commit by optimistic concurrency: plan on the newest known version, then create the next log entry.
   * If the version is taken, the new entries are read and the commit is planned again. An undefined plan means that the table
   * is as wanted already.
   */
  async #commit(
    info: Record<string, unknown>,
    plan: (base: Snapshot, nowMs: number) => Action[] | undefined,
  ): Promise<{ version: number }> {
    if (performance.now() - this.#refreshedAt > WRITE_ON_TOP_MS) await this.snapshot();
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const base = this.#snapshot;
      const plannedOn = this.#refreshedAt;
      const nowMs = await this.#storage.now();
      const completed = this.#description.completed(base);
      const planned = completed ?? (await this.#planned((on) => plan(on, nowMs), base));
      if (planned === 'stale') continue;
      if (!planned) return { version: base.version };
      const version = base.version + 1;
      // The random id makes entries unique, so that a writer recognises its own after an unanswered write.
      const { operationMetrics, ...facts } = commitFacts(planned, base.version);
      const commitInfo = {
        timestamp: nowMs,
        engineInfo: 'spor',
        operation: 'WRITE',
        txnId: randomUUID(),
        ...facts,
        ...(completed ? UPGRADE : info),
        operationMetrics: Object.assign({}, operationMetrics, info.operationMetrics),
      };
      const actions: Action[] = [{ commitInfo }, ...this.#tableActions(base, planned, nowMs), ...planned];
      const startedAt = performance.now();
      const created = await writeEntry(this.#storage, this.spec.root, version, actions);
      const inLog = created && (await continuesLog(this.#storage, this.spec.root, version));
      if (inLog && performance.now() - plannedOn <= PAUSED_MS) {
        this.#advance(version, actions, startedAt);
        if (completed) continue;
        return { version };
      }
      // Stopped for long, or behind a cleaned log: only a fresh read tells whether the entry is in the table.
      if (created) await this.#reread();
      else await this.snapshot();
      const wasQuick = created && performance.now() - startedAt <= PAUSED_MS;
      const isBelowLog = wasQuick && !inLog && this.#snapshot.checkpoint > version;
      if (isBelowLog) await this.#storage.delete([entryPath(this.spec.root, version)]);
    }
    throw new LakeError('storage_unavailable', `${this.spec.root}: ${MAX_TRIES} commits in a row conflicted`, {
      retryAfterSeconds: 5,
    });
  }

  /** Check a conflict on the newest version: the caller may know a commit that this instance has not read. */
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

  #added(file: NewFile, dataChange: boolean, nowMs: number): Action {
    const { columnsTag, partition } = this.#description;
    return addAction(file, { dataChange, nowMs, columnsTag, partition });
  }

  /**
   * Actions about the table itself in a commit.
   * They are all of them for a new table, and the metadata for new columns and properties.
   */
  #tableActions(base: Snapshot, planned: readonly Action[], nowMs: number): Action[] {
    const told = planned.some((action) => 'metaData' in action);
    if (!base.protocol || !base.metaData) {
      return [{ protocol: PROTOCOL }, ...(told ? [] : [{ metaData: this.#description.create(nowMs) }])];
    }
    checkWritable(base.protocol, base.metaData, this.spec.root);
    checkAppendOnly(planned, base.metaData, this.spec.root);
    if (told) return [];
    const metaData = this.#description.amended(base.metaData);
    return metaData === undefined ? [] : [{ metaData }];
  }

  /**
   * Apply an own commit without a read, unless a refresh is ahead of it.
   * A conditional create after the entry before proves that the snapshot was the newest when it started.
   */
  #advance(version: number, actions: readonly Action[], startedAt: number): void {
    if (this.#snapshot.version !== version - 1) return;
    this.#snapshot = replayActions(this.#snapshot, [{ version, actions }], this.spec.root);
    this.#refreshedAt = Math.max(this.#refreshedAt, startedAt);
  }

  async #writeCheckpoint(): Promise<Checkpoint | undefined> {
    const snapshot = this.#snapshot.version < 0 ? await this.snapshot() : this.#snapshot;
    if (snapshot.version === snapshot.checkpoint) return undefined;
    this.#checkpointTried = snapshot.version;
    const options = { format: this.#checkpoints, now: await this.#storage.now() };
    const written = await writeCheckpoint(this.#storage, this.spec.root, snapshot, options);
    if (!written) {
      // The snapshot's checkpoint was deleted by log cleanup: read from a newer one.
      await this.#reread();
      return undefined;
    }
    this.#checkpointRows = written.rows;
    // Keep only the tombstones of commits after the checkpoint.
    const { checkpoint, tombstones } = this.#snapshot;
    if (checkpoint < written.version) {
      const later = [...tombstones].filter(([path, remove]) => snapshot.tombstones.get(path) !== remove);
      this.#snapshot = { ...this.#snapshot, checkpoint: written.version, tombstones: new Map(later) };
    }
    return written;
  }

  /** Read the table anew, from the start or the newest checkpoint. */
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
      // An own commit may have advanced the snapshot meanwhile.
      if (snapshot.version > this.#snapshot.version) this.#snapshot = snapshot;
      this.#refreshedAt = startedAt;
      return this.#snapshot;
    } finally {
      this.#refreshing = undefined;
    }
  }
}

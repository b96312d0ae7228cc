import { join } from 'node:path';
import type { Logger } from '../../runtime/log.ts';
import type { EngineSession } from '../../lake/duckdb/engine.ts';
import { MessageReader } from '../../stream/reader.ts';
import { listTenants } from '../../lake/layout/tenants.ts';
import { Window, type Stored } from '../../lake/window/window.ts';
import { shardOf } from '../../schemas/subjects.ts';
import type { KnownMessage } from '../../stream/streamsRecord.ts';
import { StreamSetBackError } from '../../stream/incarnation.ts';
import type { ShardContext } from './context.ts';
import { Flusher } from './flusher.ts';
import { CommitQueue } from './commitQueue.ts';
import { maintainShard } from './shardMaintenance.ts';
import type { ShardLease } from './leases.ts';
import type { OwnedStream } from './ownedStream.ts';
import { OwnerSteps, StreamChangedError } from './ownerSteps.ts';
import { readAndFlush } from './readAndFlush.ts';
import { takeOver, type OwnedShard } from './takeOver.ts';
import { untilWritable } from './unpark.ts';
import { isOfOneTable, type ParkedTenants } from '../commit/parked.ts';
import type { ParkedTenant } from '../../stream/progress.ts';

const READ_AHEAD_BYTES = 16 * 1_048_576;
/**
 * Work on one shard for the time of one lease.
 *
 * The work begins with the takeover. The worker claims the record of uploads, then fences off and deletes the
 * uncommitted files of earlier owners. Reading starts after the committed position.
 *
 * Then messages wait until their tenant is due (commitQueue.ts). One window grows while the previous one is built and the one
 * before that is committed. A due window without room in the pipeline grows to its limits; then reading stops.
 *
 * The work ends in one of three ways:
 *
 * - stopped: the messages read are flushed, for SIGTERM or a move of the shard;
 * - halted: everything is dropped at once, because the lease is gone or the stream is another;
 * - failed: another owner came first.
 *
 * The next worker always starts from a new lease and the lake, so no stale state remains.
 */
export class ShardWorker {
  readonly #context: ShardContext;
  readonly #lease: ShardLease;
  readonly #log: Logger;
  readonly #session: EngineSession;
  readonly #steps: OwnerSteps;
  readonly #halt = new AbortController();
  #stopping = false;
  #reader: MessageReader | undefined;
  #windows = 0;
  #parked: ParkedTenants | undefined;

  constructor(context: ShardContext, lease: ShardLease) {
    this.#context = context;
    this.#lease = lease;
    this.#log = context.log.child({ shard: lease.shard, epoch: lease.epoch });
    this.#session = context.lake.engine.session();
    this.#steps = new OwnerSteps({
      lease,
      signal: this.#halt.signal,
      log: this.#log,
      onFailing: (steps) => context.metrics.stalled.set({ shard: String(lease.shard) }, steps),
    });
  }

  /** Tenants whose tables cannot be written. */
  get parked(): ParkedTenant[] {
    return this.#parked?.list ?? [];
  }

  /** Reason why the shard makes no progress, if it makes none. */
  get stalled(): string | undefined {
    return this.#steps.failing;
  }

  /** Flushes the messages read, then ends `run`. */
  stop(): void {
    this.#stopping = true;
    this.#reader?.close();
  }

  /** Looks at once whether the window is due. */
  nudge(): void {
    this.#reader?.nudge();
  }

  /** Ends `run`, as soon as possible without further effect on the lake. */
  halt(reason: Error): void {
    this.#halt.abort(reason);
    this.stop();
  }

  /**
   * Works until stopped.
   * @throws LostShardError, TxnConflictError if the shard is another owner's; StreamChangedError,
   *   StreamSetBackError; the reason of `halt`
   */
  async run(): Promise<void> {
    const { metrics } = this.#context;
    const labels = { shard: String(this.#lease.shard) };
    try {
      await this.#own(labels);
    } catch (error) {
      // The shard stands still, and nobody else tells its backlog.
      if (error instanceof StreamSetBackError) {
        metrics.setBack.set(labels, 1);
        metrics.lag.set(labels, error.lastSequence);
      }
      if (error instanceof StreamChangedError) metrics.gone.inc(labels, error.gone);
      throw error;
    }
  }

  async #own(labels: { shard: string }): Promise<void> {
    const { metrics } = this.#context;
    try {
      const owned = await takeOver(this.#context, this.#lease, this.#steps, this.#log);
      metrics.setBack.set(labels, 0);
      this.#parked = owned.tables.parked;
      const { gone } = owned.stream;
      metrics.gone.inc(labels, gone);
      if (gone > 0) this.#log.error({ gone }, 'a stream is gone, with messages that are not in the lake');
      metrics.owned.set(labels, 1);
      this.#log.info({ floor: owned.floor, lastSequence: owned.stream.info.state.last_seq }, 'working on the shard');
      await this.#work(owned);
    } finally {
      metrics.released(this.#lease.shard);
      await this.#session.close().catch((error: unknown) => this.#log.debug({ err: error }, 'session was gone'));
    }
  }

  async #work(owned: OwnedShard): Promise<void> {
    const { stream, intents } = owned;
    const log = this.#log;
    const flusher = new Flusher(this.#context, {
      ...owned,
      steps: this.#steps,
      session: this.#session,
      log,
      positionNext: () => queue.committedNext,
      onWindowCommitted: () => queue.windowCommitted(),
    });
    const queue = this.#newQueue(owned, flusher);
    let hurry = false;
    const mustHurry = (): boolean => hurry && !(hurry = false);
    const { metrics } = this.#context;
    const labels = { shard: String(this.#lease.shard) };
    const reader = this.#openReader(owned);
    const ended = new AbortController();
    const housekeeping = maintainShard(this.#context, {
      shard: this.#lease.shard,
      stream,
      intents,
      floor: () => flusher.floor,
      uncommitted: () => queue.uncommitted,
      onStreamFills: () => {
        hurry = true;
        reader.nudge();
      },
      log,
      signal: AbortSignal.any([this.#halt.signal, ended.signal]),
      onChanged: (error) => this.halt(error),
    });
    const comparison = this.#compareLake(owned, ended.signal);
    const parked = this.#takeBackParked(owned, AbortSignal.any([this.#halt.signal, ended.signal]));
    try {
      await readAndFlush(reader, queue, {
        flusher,
        steps: this.#steps,
        openTables: (tenantId) => (owned.tables.stored(tenantId) ? undefined : this.#openTables(tenantId, owned)),
        mustHurry,
        isGrowing: this.#context.isHurried,
        onLook: () => metrics.window.set(labels, queue.uncommitted.messages),
        halted: this.#halt.signal,
      });
    } finally {
      reader.close();
      ended.abort();
      await housekeeping;
      await comparison;
      await parked;
    }
  }

  /** Ends the work once a parked tenant can be written: the next lease reads its messages again. */
  async #takeBackParked({ tables }: OwnedShard, signal: AbortSignal): Promise<void> {
    const tries = this.#context.unparkTries;
    const tenantId = await untilWritable(tables, { tries, signal, log: this.#log });
    if (tenantId === undefined) return;
    this.#log.info({ tenantId }, 'a parked tenant can be written again, the shard is read from its committed position');
    this.stop();
  }

  /** Compares the positions of the shard's tables with the stream, once for each stream; halts if it was set back. */
  async #compareLake({ stream, tables }: OwnedShard, signal: AbortSignal): Promise<void> {
    const { lake, settings } = this.#context;
    if (this.#context.stream.known.compared(stream.appId)) return;
    try {
      for (const tenantId of await listTenants(lake.storage)) {
        if (signal.aborted || this.#halt.signal.aborted) return;
        if (shardOf(tenantId, settings.range.shards, settings.range.first) !== this.#lease.shard) continue;
        await tables.newest(tenantId).then(
          (newest) => stream.mustHold(newest),
          // Its messages park the tenant, or none come.
          (error: unknown) => {
            if (!isOfOneTable(error)) throw error;
          },
        );
      }
    } catch (error) {
      if (error instanceof StreamSetBackError) return this.halt(error);
      // Each table is compared again before its next message is taken.
      this.#log.warn({ err: error }, 'the lake could not be compared with the stream');
    }
  }

  #openReader({ stream, floor, floorMs }: OwnedShard): MessageReader {
    const { connection, manager } = this.#context.stream;
    const largest = connection.info?.max_payload ?? 0;
    const maxBytes = Math.max(READ_AHEAD_BYTES, 2 * largest);
    const reader = new MessageReader({
      connection,
      manager,
      stream: stream.name,
      from: floor + 1,
      before: { sequence: floor, timeMs: floorMs },
      onOther: (last) => void this.#haltAtOther(stream, last),
      maxBytes,
      log: this.#log,
    });
    this.#reader = reader;
    if (this.#stopping) reader.close();
    return reader;
  }

  /** Halts because the stream has another message where one was read. */
  async #haltAtOther(stream: OwnedStream, last: KnownMessage): Promise<void> {
    const reason = await this.#steps
      .retryWhileOwned('comparing the stream', () => stream.mustStillHold(last))
      .then(() => new Error(`${stream.name} had another message ${last.sequence} for a while`))
      .catch((error: Error) => error);
    this.halt(reason);
  }

  /** Reads the positions of a tenant's tables, which the stream must hold. */
  async #openTables(tenantId: string, { stream, tables }: Pick<OwnedShard, 'stream' | 'tables'>): Promise<Stored> {
    return this.#steps.retryWhileOwned('opening a table', async () => {
      const parked = tables.parked.has(tenantId) && tables.stored(tenantId);
      if (parked) return parked;
      return tables.parked.watch(tenantId, async () => {
        const stored = await tables.load(tenantId);
        await stream.mustHold(tables.newestKnown(tenantId));
        return stored;
      });
    });
  }

  #newQueue({ stream, tables, floor, floorMs }: OwnedShard, flusher: Flusher): CommitQueue {
    return new CommitQueue({
      policy: this.#context.settings.commits,
      start: { sequence: floor, timeMs: floorMs },
      newWindow: () => this.#newWindow(stream, flusher),
      stored: (tenantId) => tables.stored(tenantId)!,
    });
  }

  #newWindow(stream: OwnedStream, flusher: Flusher): Window {
    const { dir, range } = this.#context.settings;
    const { shard, epoch } = this.#lease;
    return new Window({
      dir: join(dir, `shard-${shard}-${epoch}-${this.#windows++}`),
      place: { ...range, shard },
      epoch: stream.epoch,
      limits: flusher.limits,
    });
  }
}

import type { Logger } from '../../runtime/log.ts';
import { delay } from '../../runtime/retry.ts';
import { TxnConflictError } from '../../lake/delta/txnConflict.ts';
import { LostShardError } from '../commit/intents.ts';
import { StreamSetBackError } from '../../stream/incarnation.ts';
import type { ParkedTenant } from '../../stream/progress.ts';
import type { ShardLease, Leases } from './leases.ts';
import { StreamChangedError } from './ownerSteps.ts';
import type { ShardRange } from '../../schemas/subjects.ts';
import { planSharing } from './sharing.ts';

/** The work on one shard, as the manager sees it (worker.ts). */
export interface Work {
  run(): Promise<void>;
  stop(): void;
  nudge(): void;
  halt(reason: Error): void;
  readonly stalled: string | undefined;
  readonly parked: ParkedTenant[];
}

export interface ShardManagerOptions {
  leases: Leases;
  /** The shards in use, which a growth changes. */
  range: () => ShardRange;
  leaseMs: number;
  log: Logger;
  begin: (lease: ShardLease) => Work;
  /** Called for each shard lost to an expired lease or another owner. */
  onLost: (shard: number) => void;
  /** Called once another processor holds a shard whose work failed here. */
  onTaken: (shard: number) => void;
}

interface Held {
  lease: ShardLease;
  work: Work;
  heldAt: number;
  renewedAt: number;
  /** Resolves once the work has ended and the lease is released. */
  ended: Promise<void>;
}

/** Pause after failed work, so that another processor may try. */
const COOL_DOWN_MS = 1_000;
/** Duration after which work counts as recovered. */
const SETTLED_MS = 5_000;

/**
 * Shards of this processor, each with its lease and its work.
 *
 * The manager takes free shards, renews leases and releases the surplus. Failed work starts again with a new lease.
 */
export class ShardManager {
  readonly #options: ShardManagerOptions;
  readonly #held = new Map<number, Held>();
  readonly #coolUntil = new Map<number, number>();
  readonly #stopped = new AbortController();
  #loop: Promise<void> | undefined;
  #announcedAt = -Infinity;
  #failing: string | undefined;
  /** Reasons of the last failures, by shard. */
  readonly #failed = new Map<number, string>();
  #draining = false;
  #wake: () => void = () => undefined;

  constructor(options: ShardManagerOptions) {
    this.#options = options;
  }

  start(): void {
    this.#loop = this.#run();
  }

  /** Lets every shard look at once whether its window is due. */
  nudge(): void {
    for (const { work } of this.#held.values()) work.nudge();
  }

  /** Checks the shards at once, after a processor came or went. */
  wake(): void {
    this.#wake();
  }

  /** The shards that this processor works on. */
  get shards(): number[] {
    return [...this.#held.keys()];
  }

  /** Tenants whose tables cannot be written, of all shards here. */
  get parked(): ParkedTenant[] {
    return [...this.#held.values()].flatMap(({ work }) => work.parked);
  }

  /** Reason why this processor does not work, if it does not. */
  get trouble(): string | undefined {
    if (this.#failing !== undefined) return this.#failing;
    for (const { work } of this.#held.values()) if (work.stalled !== undefined) return work.stalled;
    for (const [shard, reason] of this.#failed) {
      const held = this.#held.get(shard);
      if (!held || performance.now() - held.heldAt < SETTLED_MS) return `shard ${shard}: ${reason}`;
      this.#failed.delete(shard);
    }
    return undefined;
  }

  /** Flushes and releases every shard, so that others take them at once. */
  async stop(): Promise<void> {
    this.#draining = true;
    // Renewals go on meanwhile, because a flush may take longer than a lease.
    await this.#drain();
    this.#stopped.abort();
    await this.#loop;
    await this.#drain();
    await this.#options.leases
      .retire()
      .catch((error: unknown) => this.#options.log.debug({ err: error }, 'left without saying so'));
  }

  async #drain(): Promise<void> {
    for (const { work } of this.#held.values()) work.stop();
    await Promise.all([...this.#held.values()].map(({ ended }) => ended));
  }

  async #run(): Promise<void> {
    while (!this.#stopped.signal.aborted) {
      try {
        await this.#tick();
        this.#failing = undefined;
      } catch (error) {
        this.#failing = `shard leases: ${(error as Error).message}`;
        this.#options.log.warn({ err: error }, 'leases cannot be read now');
      }
      const woken = new Promise<void>((resolve) => (this.#wake = resolve));
      await Promise.race([woken, delay(this.#options.leaseMs / 12, this.#stopped.signal)]);
    }
  }

  async #tick(): Promise<void> {
    const { leases } = this.#options;
    const range = this.#options.range();
    const { first } = range;
    await Promise.all([...[...this.#held.values()].map((held) => this.#renew(held)), this.#announce()]);
    const view = leases.view(range);
    const holders = view.holders.map((holder, index) => this.#holder(first + index, holder));
    for (const [index, holder] of holders.entries()) {
      const shard = first + index;
      // The holder reports it.
      if (holder !== undefined && holder !== leases.id && this.#failed.delete(shard)) this.#options.onTaken(shard);
    }
    const { acquire, release } = planSharing({ ...view, holders });
    if (this.#draining) return;
    for (const index of release) this.#held.get(first + index)?.work.stop();
    for (const [shard, { work }] of this.#held) if (shard < first) work.stop(); // closed
    for (const shard of acquire.map((index) => first + index)) {
      if ((this.#coolUntil.get(shard) ?? 0) > performance.now()) continue;
      const lease = await leases.acquire(shard);
      if (lease) this.#hold(lease);
    }
  }

  async #announce(): Promise<void> {
    const now = performance.now();
    if (this.#draining || now - this.#announcedAt < this.#options.leaseMs / 3) return;
    await this.#options.leases.announce();
    this.#announcedAt = now;
  }

  /**
   * Holder of a shard. Own leases take precedence over the last known entries.
   *
   * A key may expire or be renewed before this processor hears of it.
   */
  #holder(shard: number, heard: string | undefined): string | undefined {
    const { leases } = this.#options;
    if (this.#held.has(shard)) return leases.id;
    return heard === leases.id ? undefined : heard;
  }

  async #renew(held: Held): Promise<void> {
    const { leases, leaseMs, log } = this.#options;
    const now = performance.now();
    if (now > held.lease.validUntil)
      return held.work.halt(new LostShardError(`the lease of shard ${held.lease.shard} ran out`));
    if (now - held.renewedAt < leaseMs / 3) return;
    try {
      if (await leases.renew(held.lease)) held.renewedAt = now;
      else held.work.halt(new LostShardError(`shard ${held.lease.shard} was taken by another processor`));
    } catch (error) {
      log.warn({ err: error, shard: held.lease.shard }, 'a lease could not be renewed and will be tried again');
    }
  }

  #hold(lease: ShardLease): void {
    const { shard } = lease;
    const work = this.#options.begin(lease);
    const now = performance.now();
    const held: Held = { lease, work, heldAt: now, renewedAt: now, ended: Promise.resolve() };
    this.#held.set(shard, held);
    held.ended = this.#workOn(held);
    if (this.#draining) work.stop();
  }

  async #workOn({ lease, work }: Held): Promise<void> {
    const { leases, log, onLost } = this.#options;
    const { shard } = lease;
    try {
      await work.run();
      log.info({ shard }, 'released the shard');
    } catch (error) {
      this.#coolUntil.set(shard, performance.now() + COOL_DOWN_MS);
      onLost(shard);
      const later = laterEpoch(error);
      if (later !== undefined) leases.exceed(shard, later);
      const { message } = error as Error;
      const isNew = this.#failed.get(shard) !== message;
      if (!(error instanceof LostShardError || error instanceof TxnConflictError)) this.#failed.set(shard, message);
      if (error instanceof StreamSetBackError)
        log[isNew ? 'error' : 'debug'](
          { err: error, code: error.code, shard },
          'a stream was set back, and its shard stands still',
        );
      else if (error instanceof StreamChangedError && error.gone > 0)
        log.error({ err: error, shard, gone: error.gone }, 'a stream is gone, with messages that are not in the lake');
      else log.warn({ err: error, shard }, 'the work on a shard ended, its next owner starts it again');
    }
    try {
      await leases.release(lease);
    } catch (error) {
      log.warn({ err: error, shard }, 'a lease could not be released and will expire');
    }
    this.#held.delete(shard);
  }
}

/** Epoch of the later owner that ended the work, if one did. */
function laterEpoch(error: unknown): number | undefined {
  if (error instanceof LostShardError) return error.later;
  return error instanceof TxnConflictError ? error.fence : undefined;
}

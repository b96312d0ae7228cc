import { randomUUID } from 'node:crypto';
import type { Logger } from '../../runtime/log.ts';
import { delay } from '../../runtime/retry.ts';
import { periodsOf, type QuotaCounts, type QuotaRecord, type ReceiverCounts } from '../../schemas/quotas.ts';
import type { SecretWatch } from '../../stream/secretStore.ts';
import { TenantQuota } from './tenantQuota.ts';

/** Interval at which receivers tell each other their counts. */
const EXCHANGE_MS = 1_000;
/** Silence after which another receiver's rate counts as zero. */
const SILENT_MS = 5_000;
/** Failed exchanges between two log lines. */
const LOG_EVERY = 60;

export interface TenantQuotasOptions {
  /** Limits by tenant. */
  limits: SecretWatch<QuotaRecord>;
  /** Counts by receiver. */
  counts: SecretWatch<ReceiverCounts>;
  /** Writes the record of a receiver. */
  publish: (receiverId: string, counts: ReceiverCounts) => Promise<void>;
  /** Removes the record of a receiver. */
  remove: (receiverId: string) => Promise<void>;
  /** Milliseconds since 1970. */
  now: () => number;
  log: Logger;
}

/**
 * Quotas of tenants over all receivers.
 *
 * Each receiver counts for itself, and once a second writes its counts into its own record of a bucket. All follow the
 * bucket, so no request waits for another receiver. The record of a receiver that has ended keeps its counts of the
 * month.
 */
export class TenantQuotas {
  readonly #options: TenantQuotasOptions;
  readonly #receiverId = randomUUID();
  readonly #quotas = new Map<string, TenantQuota>();
  /** When the record of each other receiver last changed, by this process's steady clock. */
  readonly #seen = new Map<string, { counts: ReceiverCounts; atMs: number }>();
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  #published = '';
  #started = false;
  #exchangedAtMs = performance.now();
  #failures = 0;

  constructor(options: TenantQuotasOptions) {
    this.#options = options;
    this.#exchange();
    this.#started = true;
    this.#running = this.#run();
  }

  /** The quota of a tenant; undefined: none. */
  of(tenantId: string): TenantQuota | undefined {
    const limits = this.#options.limits.get(tenantId);
    if (!limits) return undefined;
    let quota = this.#quotas.get(tenantId);
    if (!quota) {
      const now = this.#options.now();
      quota = new TenantQuota(tenantId, limits, now);
      quota.exchange({ limits, others: this.#othersOf(tenantId), nowMs: now, elapsedMs: EXCHANGE_MS });
      this.#quotas.set(tenantId, quota);
    }
    return quota;
  }

  /** Writes the last counts, and ends. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.#running;
    await this.#tell();
  }

  async #run(): Promise<void> {
    await this.#removeOld();
    while (!this.#stop.signal.aborted) {
      await delay(EXCHANGE_MS, this.#stop.signal);
      this.#exchange();
      await this.#tell();
    }
  }

  /** Takes over the limits and the counts of the others. */
  #exchange(): void {
    const atMs = performance.now();
    const elapsedMs = atMs - this.#exchangedAtMs;
    this.#exchangedAtMs = atMs;
    for (const [receiverId, counts] of this.#options.counts.entries()) {
      if (receiverId === this.#receiverId || this.#seen.get(receiverId)?.counts === counts) continue;
      // What is there at the start may be of a receiver that has ended.
      this.#seen.set(receiverId, { counts, atMs: this.#started ? atMs : -Infinity });
    }
    for (const [tenantId, quota] of this.#quotas) {
      const limits = this.#options.limits.get(tenantId);
      if (!limits) continue;
      quota.exchange({ limits, others: this.#othersOf(tenantId), nowMs: this.#options.now(), elapsedMs });
    }
  }

  #othersOf(tenantId: string): QuotaCounts[] {
    const now = performance.now();
    return [...this.#seen.values()].flatMap(({ counts, atMs }) => {
      const of = counts[tenantId];
      if (!of) return [];
      return now - atMs > SILENT_MS ? [{ ...of, perSecond: 0 }] : [of];
    });
  }

  async #tell(): Promise<void> {
    const counts: ReceiverCounts = {};
    for (const [tenantId, quota] of this.#quotas)
      if (quota.own.inMonth > 0 || quota.own.perSecond > 0) counts[tenantId] = quota.own;
    const text = JSON.stringify(counts);
    if (text === this.#published || (text === '{}' && this.#published === '')) return;
    try {
      await this.#options.publish(this.#receiverId, counts);
      this.#published = text;
      this.#failures = 0;
    } catch (error) {
      if (this.#failures++ % LOG_EVERY === 0)
        this.#options.log.warn({ err: error }, 'counts of quotas could not be told to the other receivers');
    }
  }

  /** Removes the records of receivers whose counts are all of earlier months. */
  async #removeOld(): Promise<void> {
    const { month } = periodsOf(this.#options.now());
    for (const [receiverId, counts] of this.#options.counts.entries()) {
      if (Object.values(counts).some((of) => of.month >= month.name)) continue;
      await this.#options.remove(receiverId).catch(() => undefined); // the next receiver tries again
    }
  }
}

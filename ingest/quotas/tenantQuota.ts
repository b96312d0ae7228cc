import { ReceiverError } from '../../schemas/errors.ts';
import {
  periodsOf,
  quotaStanding,
  type QuotaCounts,
  type QuotaRecord,
  type QuotaStanding,
} from '../../schemas/quotas.ts';
import { Quota } from '../keys/quota.ts';

/** Longest wait that a sender is told, so that a raised limit is soon in force. */
const MOST_WAIT_SECONDS = 3_600;

/**
 * Limits of a tenant at this receiver, and its counts.
 *
 * A batch passes while a limit is not used up, and may exceed it.
 */
export class TenantQuota {
  readonly #tenantId: string;
  #limits: QuotaRecord;
  #rate: Quota | undefined;
  #own: QuotaCounts;
  /** Counts of the other receivers. */
  #others: readonly QuotaCounts[] = [];
  #takenSince = 0;

  constructor(tenantId: string, limits: QuotaRecord, nowMs: number) {
    this.#tenantId = tenantId;
    this.#limits = limits;
    const { day, month } = periodsOf(nowMs);
    this.#own = { month: month.name, inMonth: 0, day: day.name, inDay: 0, perSecond: 0 };
    this.#share(nowMs);
  }

  /** Counts for the other receivers. */
  get own(): QuotaCounts {
    return this.#own;
  }

  /** @throws ReceiverError tenant_quota_exceeded */
  check(nowMs: number): void {
    const waitSeconds = this.#rate?.waitSeconds(nowMs) ?? 0;
    if (waitSeconds > 0)
      throw this.#exceeded(`${this.#limits.eventsPerSecond} events per second over all receivers`, waitSeconds);
    for (const { per, limit, used, resetSeconds } of this.standing(nowMs))
      if (used >= limit) throw this.#exceeded(`${limit} events per ${per}; ${used} were accepted`, resetSeconds);
  }

  /** Takes the events of a batch from the rate. */
  take(events: number): void {
    this.#rate?.take(events);
    this.#takenSince += events;
  }

  /** Counts accepted events that are on disk. */
  stored(accepted: number, nowMs: number): void {
    this.#turn(nowMs);
    this.#own.inDay += accepted;
    this.#own.inMonth += accepted;
  }

  /** The limits of days and months, with the use of all receivers. */
  standing(nowMs: number): QuotaStanding[] {
    return quotaStanding(this.#limits, [this.#own, ...this.#others], nowMs);
  }

  /** Takes over what has changed since the last exchange, `elapsedMs` ago. */
  exchange(now: { limits: QuotaRecord; others: readonly QuotaCounts[]; nowMs: number; elapsedMs: number }): void {
    this.#limits = now.limits;
    this.#others = now.others;
    this.#turn(now.nowMs);
    this.#own.perSecond = Math.round((this.#takenSince * 1_000) / Math.max(1, now.elapsedMs));
    this.#takenSince = 0;
    this.#share(now.nowMs);
  }

  /**
   * The part of the rate that is this receiver's: what the others leave, and never less than an equal part.
   *
   * So the parts of receivers that all need more add up to the limit.
   */
  #share(nowMs: number): void {
    const { eventsPerSecond } = this.#limits;
    if (eventsPerSecond === undefined) {
      this.#rate = undefined;
      return;
    }
    const busy = this.#others.filter(({ perSecond }) => perSecond > 0);
    const used = busy.reduce((sum, { perSecond }) => sum + perSecond, 0);
    const share = Math.max(eventsPerSecond / (busy.length + 1), eventsPerSecond - used);
    if (this.#rate === undefined) this.#rate = new Quota(share, nowMs);
    else this.#rate.changeTo(share, nowMs);
  }

  /** Begins the counts of a new day or month. */
  #turn(nowMs: number): void {
    const { day, month } = periodsOf(nowMs);
    if (day.name > this.#own.day) this.#own = { ...this.#own, day: day.name, inDay: 0 };
    if (month.name > this.#own.month) this.#own = { ...this.#own, month: month.name, inMonth: 0 };
  }

  #exceeded(limit: string, waitSeconds: number): ReceiverError {
    const retryAfterSeconds = Math.min(waitSeconds, MOST_WAIT_SECONDS);
    const message = `Tenant ${this.#tenantId} is over its quota of ${limit}. Send again after ${retryAfterSeconds} s.`;
    return new ReceiverError('tenant_quota_exceeded', message, { retryAfterSeconds });
  }
}

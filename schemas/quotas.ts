/** Limits of a tenant over all receivers; an absent one does not bind. */
export interface QuotaRecord {
  /** Events of any verdict. */
  eventsPerSecond?: number;
  /** Accepted events of a UTC day. */
  eventsPerDay?: number;
  /** Accepted events of a UTC month. */
  eventsPerMonth?: number;
  /** ISO 8601 UTC. */
  changedAt: string;
}

/** Names of the limits. */
export const QUOTA_NAMES = ['eventsPerSecond', 'eventsPerDay', 'eventsPerMonth'] as const;
export type QuotaName = (typeof QUOTA_NAMES)[number];

/** Largest value of a limit. */
export const MAX_QUOTA = 1_000_000_000_000;

/** Part of a limit from which senders and the console are told. */
export const QUOTA_NOTICE = 0.8;

/** Counts of a tenant with a quota at one receiver. */
export interface QuotaCounts {
  /** UTC month of `inMonth`, such as `2026-11`. */
  month: string;
  inMonth: number;
  /** UTC date of `inDay`. */
  day: string;
  inDay: number;
  /** Events of the last second. */
  perSecond: number;
}

/** The record of one receiver in the bucket of shares, by tenant. */
export type ReceiverCounts = Record<string, QuotaCounts>;

/** How much of a limit is used. */
export interface QuotaStanding {
  per: 'day' | 'month';
  limit: number;
  used: number;
  /** Seconds until the count starts again. */
  resetSeconds: number;
}

/** The limits of days and months at a time, in milliseconds since 1970, with their use. */
export function quotaStanding(
  limits: Partial<QuotaRecord>,
  counts: readonly QuotaCounts[],
  nowMs: number,
): QuotaStanding[] {
  const { day, month } = periodsOf(nowMs);
  const standing = (
    per: QuotaStanding['per'],
    limit: number | undefined,
    used: number,
    endMs: number,
  ): QuotaStanding[] =>
    limit === undefined ? [] : [{ per, limit, used, resetSeconds: Math.max(1, Math.ceil((endMs - nowMs) / 1_000)) }];
  const sum = (numbers: number[]): number => numbers.reduce((total, count) => total + count, 0);
  const inDay = sum(counts.map((of) => (of.day === day.name ? of.inDay : 0)));
  const inMonth = sum(counts.map((of) => (of.month === month.name ? of.inMonth : 0)));
  return [
    ...standing('day', limits.eventsPerDay, inDay, day.endMs),
    ...standing('month', limits.eventsPerMonth, inMonth, month.endMs),
  ];
}

/** UTC day and month of a time, with their ends in milliseconds since 1970. */
export function periodsOf(nowMs: number): Record<'day' | 'month', { name: string; endMs: number }> {
  const now = new Date(nowMs);
  const text = now.toISOString();
  const [year, month, date] = [now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate()];
  return {
    day: { name: text.slice(0, 10), endMs: Date.UTC(year, month, date + 1) },
    month: { name: text.slice(0, 7), endMs: Date.UTC(year, month + 1, 1) },
  };
}

/** Whether a limit is used so far that its tenant should know. */
export function isNear({ limit, used }: QuotaStanding): boolean {
  return used >= limit * QUOTA_NOTICE;
}

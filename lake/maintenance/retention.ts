import type { Snapshot } from '../delta/snapshot.ts';
import type { Table } from '../delta/table.ts';
import { DAY_MS, utcDay } from '../../runtime/units.ts';

/** Table property of a tenant's events table: days to keep events. */
const RETENTION_PROPERTY = 'spor.retentionDays';
/** Its last step, `<first date kept>@<day of the step>`, for all of the tenant's tables. */
const STEP_PROPERTY = 'spor.expiredBefore';

/** A step of retention: dates before `before` are expired. `on` is the store's day of the step. */
export interface ExpiryStep {
  before: string;
  on: string;
}

/** A tenant's retention, as its events table has it. */
export interface Retention {
  days: number;
  /** The last step; undefined before the first. */
  step: ExpiryStep | undefined;
}

/** The next step, and the dates that wait for later ones. */
export interface PlannedExpiry {
  /** Dates before this one are expired now. */
  before: string;
  /** The step to record first; undefined if no new date is due today. */
  claim: ExpiryStep | undefined;
  /** Dates beyond the retention that stay for now. */
  waiting: number;
}

/** The retention of a tenant's tables, from its events table; undefined: for ever. */
export function retentionOf({ metaData }: Pick<Snapshot, 'metaData'>): Retention | undefined {
  const days = Number(metaData?.configuration[RETENTION_PROPERTY]);
  if (!Number.isInteger(days) || days <= 0) return undefined;
  const step = /^(?<before>\d{4}-\d\d-\d\d)@(?<on>\d{4}-\d\d-\d\d)$/.exec(metaData?.configuration[STEP_PROPERTY] ?? '');
  return { days, step: step?.groups && { before: step.groups.before!, on: step.groups.on! } };
}

/** Days to keep a tenant's tables, from its events table; undefined: for ever. */
export function retentionDays(snapshot: Pick<Snapshot, 'metaData'>): number | undefined {
  return retentionOf(snapshot)?.days;
}

/** The first date to keep. Pure. */
export function firstKeptDate(days: number, now: number): string {
  return utcDay(now - days * DAY_MS);
}

/**
 * Sets the days to keep; undefined: for ever.
 *
 * With a present, all days beyond are removed at once; without one, a day a day.
 */
export async function setRetention(events: Table, days: number | undefined, now?: number): Promise<void> {
  const value = days === undefined ? undefined : String(days);
  const step =
    days === undefined || now === undefined ? undefined : { before: firstKeptDate(days, now), on: utcDay(now) };
  const info = { operation: 'SET TBLPROPERTIES', operationParameters: { [RETENTION_PROPERTY]: value ?? null } };
  await events.configure({ set: { [RETENTION_PROPERTY]: value, [STEP_PROPERTY]: stepText(step) }, info });
}

/** Records a step before its files are removed, so that a repetition is no further step. */
export async function claimStep(events: Table, step: ExpiryStep): Promise<void> {
  const info = { operation: 'SET TBLPROPERTIES', operationParameters: { [STEP_PROPERTY]: stepText(step) } };
  await events.configure({ set: { [STEP_PROPERTY]: stepText(step) }, info });
}

/**
 * Dates before this one are expired by the steps so far. Pure.
 *
 * A step recorded by a clock ahead reaches no further than the retention by the present clock.
 */
export function expiredBefore({ days, step }: Retention, now: number): string {
  const target = firstKeptDate(days, now);
  if (step === undefined) return '';
  return step.before < target ? step.before : target;
}

/**
 * Plan the next step: at most one new date a day. Pure.
 *
 * All clocks may be wrong together, for instance on one machine. Then a step takes one date, and its files stay until
 * vacuum. A step recorded by a clock ahead holds later ones back until that day.
 * @param dates of all files of the tenant's tables
 */
export function planExpiry({ days, step }: Retention, dates: Iterable<string>, now: number): PlannedExpiry {
  const target = firstKeptDate(days, now);
  const before = expiredBefore({ days, step }, now);
  const due = [...new Set(dates)].filter((date) => date >= before && date < target).sort();
  const today = utcDay(now);
  const [first] = due;
  if (first === undefined || (step !== undefined && step.on >= today))
    return { before, claim: undefined, waiting: due.length };
  const claim = { before: utcDay(Date.parse(first) + DAY_MS), on: today };
  return { before: claim.before, claim, waiting: due.length - 1 };
}

/** Dates of a table's files. */
export function datesOf({ files }: Pick<Snapshot, 'files'>): string[] {
  return [...files.values()].flatMap(({ partitionValues: { date } }) =>
    typeof date === 'string' && /^\d{4}-\d\d-\d\d$/.test(date) ? [date] : [],
  );
}

function stepText(step: ExpiryStep | undefined): string | undefined {
  return step && `${step.before}@${step.on}`;
}

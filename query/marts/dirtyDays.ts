import { readChanges } from '../../lake/delta/changes.ts';
import type { Snapshot } from '../../lake/delta/snapshot.ts';
import { LakeError } from '../../lake/errors.ts';
import type { Storage } from '../../lake/storage/storage.ts';
import { ORDER_DAYS, type Mart } from './mart.ts';
import { DAY_MS, utcDay } from '../../runtime/units.ts';

/** Changes of the events table since a version. */
export interface EventChanges {
  /** UTC days with added rows. */
  added: Set<string>;
  /** UTC days with rows removed by erasure, retention or replay. */
  removed: Set<string>;
}

/**
 * Reads the changes since a version, if the log still has it.
 *
 * If undefined, any day may have changed.
 */
export async function eventChanges(
  storage: Storage,
  root: string,
  range: { after: number; upTo: number },
): Promise<EventChanges | undefined> {
  const changes: EventChanges = { added: new Set(), removed: new Set() };
  try {
    for await (const { added, removed } of readChanges(storage, root, range)) {
      for (const { partitionValues } of added) if (partitionValues.date) changes.added.add(partitionValues.date);
      for (const { partitionValues } of removed) if (partitionValues?.date) changes.removed.add(partitionValues.date);
    }
  } catch (error) {
    if (error instanceof LakeError && error.code === 'changes_gone') return undefined;
    throw error;
  }
  return changes;
}

/**
 * Choose the days of a daily mart to build again. Pure.
 *
 * Candidates are days with events or a partition.
 * @param orderDays days with orders that were sent again on days with added rows
 */
export function dirtyDays(
  mart: Mart,
  changes: EventChanges,
  { known, orderDays }: { known: ReadonlySet<string>; orderDays: ReadonlySet<string> },
): string[] {
  const dirty = new Set<string>();
  const mark = (days: Iterable<string>, around: number): void => {
    for (const day of days) {
      for (let offset = -around; offset <= around; offset++) dirty.add(addDays(day, offset));
    }
  };
  mark(changes.added, mart.around);
  mark(changes.removed, mart.around);
  if (mart.readsOrders) {
    mark(orderDays, mart.around);
    // A removed row may have been the first event of a repeated order, which no data can tell any more.
    mark(changes.removed, ORDER_DAYS);
  }
  return [...dirty].filter((day) => known.has(day)).sort();
}

/** UTC days that have data files. */
export function daysOfFiles({ files }: Snapshot): Set<string> {
  return new Set([...files.values()].flatMap(({ partitionValues: { date } }) => (date ? [date] : [])));
}

/** The UTC day a number of days later. */
export function addDays(day: string, days: number): string {
  return utcDay(Date.parse(day) + days * DAY_MS);
}

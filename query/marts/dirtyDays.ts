import { readChanges } from '../../lake/delta/changes.ts';
import type { Snapshot } from '../../lake/delta/snapshot.ts';
import { LakeError } from '../../lake/errors.ts';
import type { Storage } from '../../lake/storage/storage.ts';
import { ORDER_DAYS, type Mart } from './mart.ts';
import { DAY_MS, utcDay } from '../../runtime/units.ts';

/** What happened to the events since a version of their table. */
export interface EventChanges {
  /** UTC days that rows came to. */
  added: Set<string>;
  /** UTC days that rows left, by erasure, retention or replay. */
  removed: Set<string>;
}

/** Undefined where the log no longer tells: then everything may have changed. */
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
 * Pure: the days whose partition of a daily mart may have changed, of those that have events or a partition.
 * @param orderDays days with orders that were sent again on the days rows came to
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
    // What left may have been the first event of an order that was sent again: nobody can tell any more.
    mark(changes.removed, ORDER_DAYS);
  }
  return [...dirty].filter((day) => known.has(day)).sort();
}

/** The UTC days that have data files. */
export function daysOfFiles({ files }: Snapshot): Set<string> {
  return new Set([...files.values()].flatMap(({ partitionValues: { date } }) => (date ? [date] : [])));
}

/** A UTC day, so many days later. */
export function addDays(day: string, days: number): string {
  return utcDay(Date.parse(day) + days * DAY_MS);
}

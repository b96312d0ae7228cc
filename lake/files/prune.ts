import type { AddFile } from '../delta/actions.ts';
import type { Snapshot } from '../delta/snapshot.ts';

/** Part of a table that a query may read. */
export interface Scope {
  /** Empty: all segments. */
  segmentIds: readonly string[];
  /** First and last UTC date, YYYY-MM-DD, both included. */
  from?: string | undefined;
  to?: string | undefined;
  /** Whether a file may hold matching rows, by its log entry. */
  mayHold?: ((file: AddFile) => boolean) | undefined;
}

/** The data files of a snapshot within a scope, by partition values. */
export function filesInScope(snapshot: Snapshot, scope: Scope): AddFile[] {
  const { mayHold = () => true } = scope;
  return [...snapshot.files.values()].filter((file) => inScope(file.partitionValues, scope) && mayHold(file));
}

/** Whether a partition is within a scope. */
export function inScope(
  { segment, date }: Readonly<Record<string, string | null | undefined>>,
  { segmentIds, from, to }: Scope,
): boolean {
  // A file without partition values has no segment: only readers of all segments see it.
  if (segmentIds.length > 0 && !segmentIds.includes(segment ?? '')) return false;
  if (from !== undefined && (date ?? '') < from) return false;
  return to === undefined || (date ?? '9999') <= to;
}

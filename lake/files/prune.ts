import type { AddFile } from '../delta/actions.ts';
import type { Snapshot } from '../delta/snapshot.ts';

/** Which part of a table may be read. */
export interface Scope {
  /** Empty: all segments. */
  segmentIds: readonly string[];
  /** First and last UTC date, YYYY-MM-DD, both included. */
  from?: string | undefined;
  to?: string | undefined;
  /** A further bound: which files may hold what is asked for, by what the log says of them. */
  mayHold?: ((file: AddFile) => boolean) | undefined;
}

/** The data files of a snapshot within a scope, by their partition values in the log. */
export function filesInScope(snapshot: Snapshot, scope: Scope): AddFile[] {
  const { mayHold = () => true } = scope;
  return [...snapshot.files.values()].filter((file) => inScope(file.partitionValues, scope) && mayHold(file));
}

/** Whether a partition is within a scope. */
export function inScope(
  { segment, date }: Readonly<Record<string, string | null | undefined>>,
  { segmentIds, from, to }: Scope,
): boolean {
  // A file without its partition values belongs to nobody: shown to those who may see all segments only.
  if (segmentIds.length > 0 && !segmentIds.includes(segment ?? '')) return false;
  if (from !== undefined && (date ?? '') < from) return false;
  return to === undefined || (date ?? '9999') <= to;
}

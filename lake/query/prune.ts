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
export function filesInScope(snapshot: Snapshot, { segmentIds, from, to, mayHold }: Scope): AddFile[] {
  const segments = new Set(segmentIds);
  return [...snapshot.files.values()].filter((file) => {
    const { segment, date } = file.partitionValues;
    // A file without its partition values belongs to nobody: shown to those who may see all segments only.
    if (segments.size > 0 && !segments.has(segment ?? '')) return false;
    if (from !== undefined && (date ?? '') < from) return false;
    return (to === undefined || (date ?? '9999') <= to) && (mayHold?.(file) ?? true);
  });
}

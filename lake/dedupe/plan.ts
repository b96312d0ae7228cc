import type { AddFile } from '../delta/actions.ts';

/** What the log says of a data file's event ids and receipt times. */
export interface IdFile {
  /** Relative to the table's root. */
  path: string;
  /** Bounds of event_id as text; undefined: not known. A long bound may be cut off, in the safe direction. */
  minId: string | undefined;
  maxId: string | undefined;
  /** Bounds of received_at in milliseconds since 1970. */
  minReceivedMs: number;
  maxReceivedMs: number;
  rows: number;
}

/** The bounds of a data file from its entry in the log; where a bound is missing, anything may be in it. */
export function idFile({ path, stats }: Pick<AddFile, 'path' | 'stats'>): IdFile {
  const { numRecords, minValues, maxValues } = (stats === undefined ? {} : JSON.parse(stats)) as {
    numRecords?: number;
    minValues?: Record<string, unknown>;
    maxValues?: Record<string, unknown>;
  };
  return {
    path,
    minId: asText(minValues?.event_id),
    maxId: asText(maxValues?.event_id),
    minReceivedMs: asTime(minValues?.received_at) ?? -Infinity,
    maxReceivedMs: asTime(maxValues?.received_at) ?? Infinity,
    rows: numRecords ?? Infinity,
  };
}

/**
 * The files that may hold one of these ids, received at or after `sinceMs`. An id that carries its time, as UUID version 7
 * does, lies in the bounds of the few files of that time; a random id lies in the bounds of nearly all.
 * @param ids Lower-case UUIDs with hyphens, ascending.
 */
export function filesThatMayHold(ids: readonly string[], files: readonly IdFile[], sinceMs: number): IdFile[] {
  return files.filter(({ minId, maxId, maxReceivedMs }) => {
    if (maxReceivedMs < sinceMs) return false;
    if (minId === undefined || maxId === undefined) return true;
    const first = ids[lowerBound(ids, minId)];
    return first !== undefined && mayHold(first, minId, maxId);
  });
}

/**
 * Whether one of several ids may be stored in some form, small or capital letters, between two bounds of text: ids are stored
 * as sent. `first` is the least of them that is not below `minId`; those below cannot be, since the form in small letters is
 * the greatest of all.
 *
 * Capital letters sort between digits and small ones. So behind what the bounds have in common, a capital lies between them
 * only where the lower one goes on with a digit and the upper one with a small letter; or the id goes on as the upper bound
 * does, and its rest in capitals is not above that one's. Where this fails for the first id it fails for the greater ones,
 * too, as long as there is no capital in the bounds themselves; with one, capitals' order decides alone, and less sharply.
 */
export function mayHold(first: string, minId: string, maxId: string): boolean {
  if (first <= maxId) return true;
  if (/[A-F]/.test(minId) || /[A-F]/.test(maxId)) return first.toUpperCase() <= maxId;
  let same = 0;
  while (same < maxId.length && minId[same] === maxId[same]) same++;
  if (!first.startsWith(maxId.slice(0, same))) return false;
  const [id, low, high] = [first[same], minId[same], maxId[same]];
  if (isSmallLetter(id) && isSmallLetter(high) && !isSmallLetter(low)) return true;
  return id === high && first.slice(same + 1).toUpperCase() <= maxId.slice(same + 1);
}

function isSmallLetter(digit = ''): boolean {
  return digit >= 'a' && digit <= 'f';
}

/** Position of the first id at or above a bound. */
function lowerBound(ids: readonly string[], bound: string): number {
  let low = 0;
  let high = ids.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (ids[middle]! < bound) low = middle + 1;
    else high = middle;
  }
  return low;
}

function asText(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function asTime(value: unknown): number | undefined {
  const ms = typeof value === 'string' ? Date.parse(value) : NaN;
  return Number.isNaN(ms) ? undefined : ms;
}

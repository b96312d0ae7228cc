import type { AddFile } from '../delta/actions.ts';
import { storedThroughMs } from '../delta/storedThrough.ts';

/** Bounds of a data file's event ids and receipt times. */
export interface IdFile {
  /** Relative to the table's root. */
  path: string;
  /** Bounds of event_id as text; undefined if unknown. A long bound may be cut, in the safe direction. */
  minId: string | undefined;
  maxId: string | undefined;
  /** Bounds of received_at in milliseconds since 1970. */
  minReceivedMs: number;
  maxReceivedMs: number;
  /** Time by which the stream had stored every row, in milliseconds since 1970. */
  storedThroughMs: number;
  rows: number;
}

/** The bounds of a data file from its log entry; a missing bound excludes nothing. */
export function idFile(file: Pick<AddFile, 'path'> & Partial<AddFile>): IdFile {
  const { path, stats } = file;
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
    storedThroughMs: storedThroughMs(file),
    rows: numRecords ?? Infinity,
  };
}

/**
 * The files that may hold one of these ids.
 *
 * An id with a time, such as UUID version 7, lies within the bounds of few files. A random id lies within those of
 * nearly all.
 * @param ids UUIDs in small letters with hyphens, ascending
 */
export function filesThatMayHold(ids: readonly string[], files: readonly IdFile[]): IdFile[] {
  return files.filter(({ minId, maxId }) => {
    if (minId === undefined || maxId === undefined) return true;
    const first = ids[lowerBound(ids, minId)];
    return first !== undefined && mayHold(first, minId, maxId);
  });
}

/**
 * Whether an id may be stored between two bounds of text.
 *
 * Ids are stored as sent, in small or capital letters. `first` is the least id that is not below `minId`. Ids below it
 * cannot match, because the form in small letters is the greatest.
 *
 * Capital letters sort between digits and small letters. After the prefix that both bounds share, an id in capitals
 * fits in two cases. In one, the lower bound continues with a digit and the upper bound with a small letter. In the
 * other, the id continues as the upper bound does, and its rest in capitals is not above that bound's rest. If neither
 * holds for the first id, neither holds for greater ids. This is true while the bounds have no capitals. With a capital
 * in a bound, the order of capitals decides alone, less exactly.
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

import type { AddFile } from '../delta/actions.ts';
import { HELD_UNTIL_TAG } from '../delta/schema.ts';
import type { Snapshot } from '../delta/snapshot.ts';
import { parseFileName } from '../layout/tables.ts';
import { DAY_MS, MIB } from '../../runtime/units.ts';

/**
 * Which data files to rewrite as fewer, larger ones. A partition (segment, date) passes through three states:
 *
 * - `open`: its day is not over. Files come every second, so only many of a kind are merged: files are told apart by size,
 *   a power of eight each, and a kind is merged when there are `openFiles` of it. Each byte is rewritten once per kind,
 *   so a handful of times a day, and there are never more than some hundred files.
 * - `closed`: its day is over, late events still trickle in. All small files are merged, except that a large one is rewritten
 *   only when the smaller ones add up to a quarter of it.
 * - `sealed`: too late for even the latest event. What is left over is merged.
 *
 * A file of `finishedBytes` is never touched again.
 */
export interface CompactionOptions {
  /** A file of this many bytes or more is as it should be. */
  finishedBytes: number;
  /** About the most bytes a job reads, and so the largest file it writes. */
  jobBytes: number;
  /** About the most files a job reads. */
  jobFiles: number;
  /** Files of a kind that make it worth to rewrite them while their day is open. */
  openFiles: number;
  /** After midnight UTC, until a day counts as over. */
  closedAfterMs: number;
  /** After midnight UTC, until a day counts as sealed; later than the receiver takes events. */
  sealedAfterMs: number;
  /** Files that were added less than this long ago are left alone, so that what trickles in is not merged each time. */
  settledAfterMs?: number;
}

export const COMPACTION: CompactionOptions = {
  finishedBytes: 128 * MIB,
  jobBytes: 256 * MIB,
  jobFiles: 1_000,
  openFiles: 32,
  closedAfterMs: 3_600_000,
  sealedAfterMs: 32 * DAY_MS,
};

export type PartitionState = 'open' | 'closed' | 'sealed';

/** Live files of one partition to be rewritten as one. */
export interface CompactionJob {
  segment: string;
  date: string;
  state: PartitionState;
  files: AddFile[];
  bytes: number;
}

/** Bytes of smaller files that make it worth to rewrite a larger one of a closed day: a part of its size. */
const WORTH_REWRITING = 4;
const KIND_FACTOR = 8;

/** Pure: the jobs of a table, the most useful first: days that are over, then those with most files. */
export function planCompaction(
  snapshot: Snapshot,
  now: number,
  options: CompactionOptions = COMPACTION,
): CompactionJob[] {
  const jobs: CompactionJob[] = [];
  for (const { segment, date, files } of smallFiles(snapshot, now, options)) {
    const state = partitionState(date, now, options);
    for (const chosen of choose(files, state, options)) {
      for (const share of split(chosen, options)) {
        jobs.push({ segment, date, state, files: share, bytes: bytesOf(share) });
      }
    }
  }
  const rank = ({ state }: CompactionJob): number => (state === 'open' ? 1 : 0);
  return jobs.sort((a, b) => rank(a) - rank(b) || b.files.length - a.files.length);
}

/** Pure: whether events for a date may still come, at a time in milliseconds since 1970. */
export function partitionState(
  date: string,
  now: number,
  { closedAfterMs, sealedAfterMs }: Pick<CompactionOptions, 'closedAfterMs' | 'sealedAfterMs'>,
): PartitionState {
  const overForMs = now - (Date.parse(`${date}T00:00:00Z`) + DAY_MS);
  if (overForMs > sealedAfterMs) return 'sealed';
  return overForMs > closedAfterMs ? 'closed' : 'open';
}

interface Partition {
  segment: string;
  date: string;
  files: AddFile[];
}

function smallFiles(
  snapshot: Snapshot,
  now: number,
  { finishedBytes, settledAfterMs = -Infinity }: CompactionOptions,
): Partition[] {
  const partitions = new Map<string, Partition>();
  for (const file of snapshot.files.values()) {
    const { segment, date } = file.partitionValues;
    // Files of other tools may lack what ours have: they stay as they are.
    if (!segment || !date || !/^\d{4}-\d\d-\d\d$/.test(date) || file.size >= finishedBytes) continue;
    if (now - file.modificationTime < settledAfterMs || now < Number(file.tags?.[HELD_UNTIL_TAG] ?? 0)) continue;
    const key = `${segment}/${date}`;
    const partition = partitions.get(key);
    if (partition) partition.files.push(file);
    else partitions.set(key, { segment, date, files: [file] });
  }
  return [...partitions.values()];
}

function choose(files: AddFile[], state: PartitionState, { openFiles }: CompactionOptions): AddFile[][] {
  if (state === 'sealed') return [files];
  if (state === 'closed') return [worthMerging(files)];
  const kinds = new Map<number, AddFile[]>();
  for (const file of files) {
    const kind = Math.floor(Math.log(Math.max(1, file.size)) / Math.log(KIND_FACTOR));
    kinds.set(kind, [...(kinds.get(kind) ?? []), file]);
  }
  return [...kinds.values()].filter((kind) => kind.length >= openFiles);
}

/** All files up to the largest that is worth rewriting together with those smaller than it. */
function worthMerging(files: AddFile[]): AddFile[] {
  const bySize = files.toSorted((a, b) => a.size - b.size);
  let smaller = bytesOf(bySize);
  for (let last = bySize.length - 1; last > 0; last--) {
    smaller -= bySize[last]!.size;
    if (bySize[last]!.size <= WORTH_REWRITING * smaller) return bySize.slice(0, last + 1);
  }
  return [];
}

/**
 * Even shares of about a job's limits at most, in the order of arrival, so that each covers a time of its own. A file that
 * would be alone stays: it would only be copied.
 */
function split(files: AddFile[], { jobBytes, jobFiles }: CompactionOptions): AddFile[][] {
  const weigh = (file: AddFile): number => file.size / jobBytes + 1 / jobFiles;
  const total = files.reduce((sum, file) => sum + weigh(file), 0);
  const shares: AddFile[][] = Array.from({ length: Math.ceil(total) }, () => []);
  let before = 0;
  for (const file of files.toSorted(byArrival)) {
    shares[Math.min(shares.length - 1, Math.floor((before / total) * shares.length))]!.push(file);
    before += weigh(file);
  }
  return shares.filter((share) => share.length > 1);
}

function byArrival(a: AddFile, b: AddFile): number {
  const first = (file: AddFile): number => parseFileName(file.path)?.firstSequence ?? 0;
  return first(a) - first(b) || (a.path < b.path ? -1 : 1);
}

function bytesOf(files: readonly AddFile[]): number {
  return files.reduce((sum, { size }) => sum + size, 0);
}

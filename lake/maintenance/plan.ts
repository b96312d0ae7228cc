import type { AddFile } from '../delta/actions.ts';
import { HELD_UNTIL_TAG } from '../delta/schema.ts';
import type { Snapshot } from '../delta/snapshot.ts';
import { parseFileName } from '../layout/tables.ts';
import { DAY_MS, MIB } from '../../runtime/units.ts';

/**
 * Options for the choice of data files to merge into larger ones.
 *
 * A partition (segment, date) passes through three states:
 *
 * - `open`: its day is not over, and files arrive every second. A kind holds files of similar size, within a factor of
 *   eight. A kind is merged once it has `openFiles` files. So each byte is rewritten once per kind, and a partition has
 *   a few hundred files at most.
 * - `closed`: its day is over, and late events still arrive. All small files are merged. A large file is rewritten only
 *   if the smaller ones add up to a quarter of it.
 * - `sealed`: no event can arrive any more. The remaining small files are merged.
 *
 * A file of `finishedBytes` is never rewritten.
 */
export interface CompactionOptions {
  /** Size from which a file is finished. */
  finishedBytes: number;
  /** Approximate bound on the bytes of a job and of its file. */
  jobBytes: number;
  /** Approximate bound on the files a job reads. */
  jobFiles: number;
  /** Files of a kind from which an open partition merges them. */
  openFiles: number;
  /** Time after midnight UTC at which a day is closed. */
  closedAfterMs: number;
  /**
   * Time after midnight UTC at which a day is sealed.
   *
   * The receiver accepts none of its events by then.
   */
  sealedAfterMs: number;
  /**
   * Age below which files are not merged.
   *
   * Otherwise each late event would cause a job.
   */
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

/** Live files of one partition, to be rewritten as one. */
export interface CompactionJob {
  segment: string;
  date: string;
  state: PartitionState;
  files: AddFile[];
  bytes: number;
}

/**
 * A larger file is rewritten if smaller ones reach this fraction of it.
 *
 * The rule is for closed days.
 */
const WORTH_REWRITING = 4;
const KIND_FACTOR = 8;

/** Plan the jobs of a table: closed days first, then most files. Pure. */
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

/** The state of a date's partitions, at a time in milliseconds since 1970. Pure. */
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
    // Files of other tools may lack our statistics, so they stay unchanged.
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

/** All files up to the largest one worth a rewrite. */
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
 * Even shares within a job's limits, in order of arrival.
 *
 * A single file stays as it is, because a job would only copy it.
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

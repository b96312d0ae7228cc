import type { AcceptedByDay, QuarantinedByDay } from '../../lake/counts/dayCounts.ts';
import type { ReceivedByDay, SegmentCounts } from '../../lake/counts/commitCounts.ts';
import type { NewFile } from '../../lake/delta/commits.ts';
import type { FlushOutcome } from '../../lake/flush/outcome.ts';
import type { WrittenWindow } from '../../lake/flush/parquetWriter.ts';
import { newFilePath, type TableName } from '../../lake/layout/tables.ts';
import type { ClosedWindow } from '../../lake/window/closedWindow.ts';

/** One table's part of a flush. Retries upload and commit the same paths. */
export interface TableCommit {
  name: TableName;
  tenantId: string;
  files: { localFile: string; file: NewFile }[];
  info: Record<string, unknown>;
  /**
   * Whether to commit before the events tables: the quarantine.
   *
   * So the position of an events table says that the tenant's quarantine is as far. Otherwise a kill in between loses
   * unstorable events, and a reader misses rejected ones.
   */
  first: boolean;
}

/**
 * Plans a commit for each table that a window changes.
 *
 * A commit may carry only counts, such as those of duplicates. Its mark of completeness, the last message's stamp, is
 * never later than the store's present.
 */
export function planCommits(
  stream: string,
  window: ClosedWindow,
  { files, outcomes }: Omit<WrittenWindow, 'erased'>,
  nowMs = Infinity,
): TableCommit[] {
  const { lastSequence, lastStoredMs } = window.span;
  const acknowledgedBefore = new Date(Math.min(lastStoredMs, nowMs)).toISOString();
  const commits: TableCommit[] = [];
  for (const [tenantId, outcome] of outcomes) {
    const { accepted, stored, duplicate, unstorable, quarantined } = outcome.counts;
    const { firstSequence } = window.tenants.get(tenantId)!;
    const from = { stream, firstSequence, lastSequence };
    const commit = (name: TableName, counts: Record<string, unknown>): void => {
      const own = files.filter(({ table, source }) => table === name && source.tenantId === tenantId);
      const info = { ...from, acknowledgedBefore, ...counts };
      const first = name === 'quarantine';
      commits.push({
        name,
        tenantId,
        files: own.map((file) => newFile(file, { ...from, storedThroughMs: lastStoredMs })),
        info,
        first,
      });
    };
    const { acceptedByDay, quarantinedByDay } = countsByDay(outcome);
    const received = receivedByDay(outcome);
    const { duplicates, differing, erasedEvents, erasedRejected } = outcome.positions;
    const counts = { accepted, stored, duplicate, setAside: unstorable };
    if (accepted > 0)
      commit('events', {
        ...counts,
        days: acceptedByDay,
        received: received.events,
        duplicates,
        ...ifAny('differing', differing),
        ...ifAny('erased', erasedEvents),
      });
    if (quarantined > 0)
      commit('quarantine', {
        quarantined,
        days: quarantinedByDay,
        received: received.quarantine,
        ...ifAny('erased', erasedRejected),
      });
  }
  return commits;
}

function ifAny(name: string, positions: Record<string, string>): Record<string, Record<string, string>> {
  return Object.keys(positions).length > 0 ? { [name]: positions } : {};
}

/** Day counts of both tables (lake/counts/dayCounts.ts), without empty days. */
function countsByDay({ days }: FlushOutcome): { acceptedByDay: AcceptedByDay; quarantinedByDay: QuarantinedByDay } {
  const acceptedByDay: AcceptedByDay = {};
  const quarantinedByDay: QuarantinedByDay = {};
  for (const [day, share] of days) {
    const { accepted, duplicate, differing, unstorable, quarantined, unstorableRows, erased, erasedRows } = share;
    if (accepted > 0)
      acceptedByDay[day] = {
        accepted,
        duplicate,
        setAside: unstorable,
        ...(differing > 0 ? { differing } : {}),
        ...(erased > 0 ? { erased } : {}),
      };
    if (quarantined > 0)
      quarantinedByDay[day] = {
        quarantined,
        setAside: unstorableRows,
        ...(erasedRows > 0 ? { erased: erasedRows } : {}),
      };
  }
  return { acceptedByDay, quarantinedByDay };
}

/** What each segment sent, for the commits of both tables, without empty parts. */
function receivedByDay({ days }: FlushOutcome): Record<TableName, ReceivedByDay> {
  const received: Record<TableName, ReceivedByDay> = { events: {}, quarantine: {} };
  const note = (name: TableName, day: string, segment: string, counts: SegmentCounts): void => {
    (received[name][day] ??= {})[segment] = counts;
  };
  for (const [day, { segments }] of days)
    for (const [segment, { accepted, acceptedBytes, rejected, rejectedBytes }] of segments) {
      if (accepted > 0) note('events', day, segment, { accepted, ...bytesOf(acceptedBytes) });
      if (rejected > 0) note('quarantine', day, segment, { rejected, ...bytesOf(rejectedBytes) });
    }
  return received;
}

function bytesOf(bytes: number): { bytes?: number } {
  return bytes > 0 ? { bytes } : {};
}

function newFile(
  written: WrittenWindow['files'][number],
  { storedThroughMs, ...source }: Parameters<typeof newFilePath>[1] & { storedThroughMs: number },
): TableCommit['files'][number] {
  const { localFile, bytes: size, rows, stats, date } = written;
  const partitionValues = { segment: written.source.segmentId, date };
  const path = newFilePath(partitionValues, source);
  return { localFile, file: { path, size, rows, partitionValues, stats, storedThroughMs } };
}

/** Time between two looks at a table with COMMITS_A_LOOK commits or more since the last. */
const BUSY_LOOK_MS = 30_000;
/** Commits of this process that may have filled a kind of small files, or made a checkpoint due. */
const COMMITS_A_LOOK = 16;
/** Time between two looks at other tables; doubles while a table does not change. Each look costs requests. */
const LOOK_MS = 900_000;
const LONGEST_LOOK_MS = 6 * 3_600_000;

/** Last look of maintenance at a table. */
export interface TableLook {
  /** Its start by the monotonic clock, in milliseconds: what comes during a look may be too late for it. */
  atMs: number;
  /** Longest time until the next. */
  everyMs: number;
  /** Version that it saw. */
  version: number;
}

/** The look before the first. */
export const NO_LOOK: TableLook = { atMs: -Infinity, everyMs: LOOK_MS, version: -1 };

/** When a table is due for its next look, by the version that this process knows. Pure. */
export function nextLookMs({ atMs, everyMs, version }: TableLook, known: number): number {
  const commits = known - version;
  return atMs + Math.min(everyMs, commits >= COMMITS_A_LOOK ? BUSY_LOOK_MS : commits > 0 ? LOOK_MS : Infinity);
}

/** Notes a look. `isBusy`: there is more to do at once. Pure. */
export function noteLook(
  last: TableLook,
  { atMs, version, isBusy }: { atMs: number; version: number; isBusy: boolean },
): TableLook {
  if (isBusy) return { atMs, version, everyMs: 0 };
  const changed = version !== last.version || last.everyMs < LOOK_MS;
  return { atMs, version, everyMs: changed ? LOOK_MS : Math.min(2 * last.everyMs, LONGEST_LOOK_MS) };
}
